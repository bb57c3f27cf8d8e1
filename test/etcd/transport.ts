/** What becomes of questions that somebody who is not quite an etcd answers, or nobody. */
import { once } from 'node:events';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';

import { Client } from '../../lib/store/etcd/client.js';
import { EtcdStore } from '../../lib/store/etcd/etcd-store.js';
import type { EtcdTls } from '../../lib/etcd.js';
import { refusalIn } from '../../lib/store/etcd/refusal.js';
import { Transport } from '../../lib/store/etcd/transport.js';

const code = 'ERR_LOCK_STORE_UNAVAILABLE';
const auth = { user: 'user', password: 'word' };

/** The address of a server that answers so. */
async function serve(t: Test, answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

void t.test('a password where there are no users', async (t) => {
  const endpoints = await serve(t, (_, answer) => {
    const message = 'etcdserver: authentication is not enabled';
    answer.writeHead(400).end(JSON.stringify({ error: message, code: 9, message }));
  });
  const client = new Client(new Transport({ endpoints, auth }));
  const expected = { code, message: /authentication is not enabled/ };
  await t.rejects(client.transact([], []), expected);
  await t.rejects(client.grant(2000), expected, 'it is not asked for again and again');
});

void t.test('nobody lets us in', async (t) => {
  const endpoints = await serve(t, () => undefined);
  const transport = new Transport({ endpoints, auth, timeout: 600_000 });
  const stop = new AbortController();
  const asked = transport.ask('/v3/kv/txn', {}, { signal: stop.signal });
  await sleep(50);
  stop.abort();
  await t.rejects(asked, { name: 'AbortError' });
  await t.rejects(transport.ask('/v3/kv/txn', {}, { timeout: 50 }), { code });
  transport.close();
});

void t.test('one who is stopped is not waited for to let us in', async (t) => {
  const silent = await serve(t, () => undefined);
  const well = await serve(t, (_, answer) => answer.end(said({ token: '1' })));
  const transport = new Transport({ endpoints: [silent, well], auth, timeout: 60_000 });
  // As a renewal of a short lease, which has less time than others.
  t.match(await transport.ask('/v3/kv/txn', {}, { timeout: 3000 }), { token: '1' });
  transport.close();
});

void t.test('a stream goes along when an endpoint is left', async (t) => {
  const silent = await serve(t, () => undefined);
  const other = await serve(t, (_, answer) => answer.end(said()));
  const transport = new Transport({ endpoints: [silent, other], timeout: 5000 });
  const lines = transport.watch({}, new AbortController().signal);
  const ended = t.rejects(lines.next());
  await transport.ask('/v3/kv/txn', {});
  await ended;
});

void t.test('who is let in no more asks for a new token when a stream has ended', async (t) => {
  const tokens: unknown[] = [];
  let given = 0;
  const endpoints = await serve(t, ({ url, headers }, answer) => {
    if (url === '/v3/auth/authenticate') answer.end(said({ token: `${++given}` }));
    // As etcd 3.4 answers to a token that is over.
    else answer.end('{"result":{"created":true,"canceled":true}}\n');
    if (url === '/v3/watch') tokens.push(headers.authorization);
  });
  const transport = new Transport({ endpoints, auth });
  for (let round = 0; round < 2; round++) {
    for await (const line of transport.watch({}, new AbortController().signal)) {
      t.match(line, { result: { canceled: true } });
    }
  }
  t.strictSame(tokens, ['1', '2']);
});

/** An answer as etcd gives it. */
function said(more: object = {}): string {
  return JSON.stringify({ header: {}, ...more });
}

/** One that says no. */
function no(answer: ServerResponse, status: number, grpcCode: number, message: string): void {
  answer.writeHead(status).end(JSON.stringify({ error: message, code: grpcCode, message }));
}

function refusing(...what: [status: number, grpcCode: number, message: string]): RequestListener {
  return (_, answer) => {
    no(answer, ...what);
  };
}

void t.test("what is one node's own state another is asked about, once", async (t) => {
  const refusals: [string, RequestListener][] = [
    ['no gateway', (_, answer) => answer.writeHead(404).end('404 page not found')],
    ['another program', (_, answer) => answer.end('<html>')],
    ['another that speaks JSON', (_, answer) => answer.end('{}')],
    ['an answer that is nothing', (_, answer) => answer.end('null')],
    ['an error that is nothing', (_, answer) => answer.end('{"error":null}')],
    ['another version', refusing(501, 12, 'unknown method')],
    ['damaged data', refusing(500, 15, 'etcdserver: corrupt cluster')],
  ];
  const well = await serve(t, (_, answer) => answer.end(said({ fine: true })));
  for (const [what, refuse] of refusals) {
    let asked = 0;
    const ill = (): Promise<string> =>
      serve(t, (question, answer) => {
        asked++;
        refuse(question, answer);
      });
    const helped = new Transport({ endpoints: [await ill(), well] });
    t.strictSame(await helped.ask('/v3/kv/txn', {}), { header: {}, fine: true }, what);
    t.equal(asked, 1);
    const nowhere = new Transport({ endpoints: [await ill(), await ill()], timeout: 600_000 });
    await t.rejects(nowhere.ask('/v3/kv/txn', {}), { code }, `${what}, everywhere`);
    t.equal(asked, 3, 'it is not asked for again and again');
  }
  let asked = 0;
  const refuses = await serve(t, (_, answer) => {
    asked++;
    no(answer, 403, 7, 'etcdserver: permission denied');
  });
  const transport = new Transport({ endpoints: [refuses, well], timeout: 600_000 });
  await t.rejects(transport.ask('/v3/kv/txn', {}), { code, message: /permission denied/ });
  t.equal(asked, 1, 'what the cluster has agreed on nobody would say otherwise');
});

void t.test(
  'what is told of each endpoint is what it did, not what was left of the time',
  async (t) => {
    let tries = 0;
    const ill = await serve(t, (_, answer) => {
      if (tries++ === 0) setTimeout(() => no(answer, 503, 14, 'etcdserver: no leader'), 2000);
    });
    const alone = new Transport({ endpoints: ill, timeout: 3000 });
    const cause = { kind: 'passing', message: /no leader/ };
    await t.rejects(alone.ask('/v3/kv/txn', {}), { code, message: /no leader/, cause });
    t.ok(tries > 1);
    alone.close();
    const off = await serve(t, (_, answer) => answer.writeHead(404).end());
    const gone = await serve(t, ({ socket }) => socket.destroy());
    const several = new Transport({ endpoints: [off, gone], timeout: 300 });
    const hosts = [off, gone].map((each) => new URL(each).host);
    await t.rejects(several.ask('/v3/kv/txn', {}), {
      code,
      message: new RegExp(
        `${hosts[0]}: no JSON gateway.*${hosts[1]}: socket hang up|${hosts[1]}.*${hosts[0]}`,
      ),
    });
  },
);

void t.test(
  'many are told that their token is over, one after the other: one logs in',
  async (t) => {
    let logins = 0;
    const waiting: ServerResponse[] = [];
    const endpoints = await serve(t, ({ url, headers }, answer) => {
      if (url === '/v3/auth/authenticate') {
        answer.end(said({ token: `${++logins}` }));
      } else if (headers.authorization !== '1') {
        answer.end(said());
        // Others are told of the old one only now that there is a new one.
        const late = waiting.shift();
        if (late !== undefined) no(late, 401, 16, 'etcdserver: invalid auth token');
      } else if (waiting.push(answer) === 5) {
        no(waiting.shift() ?? answer, 401, 16, 'etcdserver: invalid auth token');
      }
    });
    const transport = new Transport({ endpoints, auth, timeout: 60_000 });
    await Promise.all(Array.from({ length: 5 }, () => transport.ask('/v3/kv/txn', {})));
    t.equal(logins, 2);
    transport.close();
  },
);

void t.test('whoever gives up does not wait for what cannot be tidied up', async (t) => {
  const endpoints = await serve(t, () => undefined);
  const client = new Client(new Transport({ endpoints, timeout: 5000 }));
  const unanswered = client.transact([], []).catch(() => 'its time was over');
  const dropped = client.drop('1').then(() => 'given up');
  t.equal(await Promise.race([unanswered, dropped]), 'given up');
});

void t.test('what went wrong in an answer of lines, by two gateways', (t) => {
  for (const name of ['grpc_code', 'code']) {
    const said = { message: 'try another time', [name]: 8 };
    const refusal = refusalIn('/v3/lease/keepalive', 429, JSON.stringify({ error: said }));
    t.match(refusal, { kind: 'passing', message: /try another time/ }, name);
  }
  t.end();
});

void t.test('ports', (t) => {
  for (const [endpoint, host] of [
    ['http://etcd', 'etcd:2379'],
    ['http://etcd:80', 'etcd'],
    ['http://etcd:4001', 'etcd:4001'],
    ['http://etcd:4001\n', 'etcd:4001'],
    ['https://etcd:443/', 'etcd'],
    ['http://[::1]', '[::1]:2379'],
    ['http://[fe80::80]', '[fe80::80]:2379'],
    ['http://[::1]:4001', '[::1]:4001'],
  ] as const) {
    t.equal(new EtcdStore({ endpoints: endpoint }).location, `etcd://${host}/holdfast`, endpoint);
  }
  for (const wrong of ['http://:word@etcd', 'http://etcd/path', 'http://etcd?x', 'ftp://etcd']) {
    t.throws(() => new EtcdStore({ endpoints: wrong }), TypeError, wrong);
  }
  t.end();
});

void t.test('TLS where there is none', (t) => {
  const open = (tls: EtcdTls) => (): EtcdStore => new EtcdStore({ endpoints: 'http://etcd', tls });
  t.throws(open({ ca: 'a certificate' }), { name: 'TypeError', message: /https/ });
  t.doesNotThrow(open({}));
  t.doesNotThrow(open({ ca: undefined }));
  t.end();
});

void t.test('prefixes whose keys would be among those of another', (t) => {
  const open = (prefix: string) => (): EtcdStore =>
    new EtcdStore({ endpoints: 'http://etcd', prefix });
  for (const wrong of ['a/line', 'a/freeze', 'a/line/', 'a/b/line/c', 'a//freeze/c', '/', '']) {
    t.throws(open(wrong), TypeError, wrong);
  }
  for (const right of ['a', 'a/b', 'line', '/freeze/a', 'a/lines', 'a/on-line/b', 'a/base']) {
    t.doesNotThrow(open(right), right);
  }
  t.end();
});
