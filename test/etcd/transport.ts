/** What becomes of questions that somebody who is not quite an etcd answers, or nobody. */
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';

import { Client } from '../../lib/store/etcd/client.js';
import { EtcdStore } from '../../lib/store/etcd/etcd-store.js';
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

void t.test('a stream goes along when an endpoint is left', async (t) => {
  const silent = await serve(t, () => undefined);
  const other = await serve(t, (_, answer) => answer.end('{}'));
  const transport = new Transport({ endpoints: [silent, other], timeout: 5000 });
  const lines = transport.lines('/v3/watch', {}, new AbortController().signal);
  const ended = t.rejects(lines.next());
  await transport.ask('/v3/kv/txn', {});
  await ended;
});

void t.test('who is let in no more asks for a new token when a stream has ended', async (t) => {
  const tokens: unknown[] = [];
  let given = 0;
  const endpoints = await serve(t, ({ url, headers }, answer) => {
    if (url === '/v3/auth/authenticate') answer.end(JSON.stringify({ token: `${++given}` }));
    // As etcd 3.4 answers to a token that is over.
    else answer.end('{"result":{"created":true,"canceled":true}}\n');
    if (url === '/v3/watch') tokens.push(headers.authorization);
  });
  const transport = new Transport({ endpoints, auth });
  for (let round = 0; round < 2; round++) {
    for await (const line of transport.lines('/v3/watch', {}, new AbortController().signal)) {
      t.match(line, { result: { canceled: true } });
    }
  }
  t.strictSame(tokens, ['1', '2']);
});

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
  t.throws(() => new EtcdStore({ endpoints: 'http://:word@etcd' }), TypeError);
  t.end();
});
