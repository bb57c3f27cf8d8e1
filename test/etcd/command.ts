/** The command, where its leases are in etcd: nothing but the address is different. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { storeOptions } from '../../lib/cli/remote.js';
import { Etcd, freePort, withoutEtcd } from '../helpers/etcd.js';
import { childEnv, packageRoot } from '../helpers/peer.js';

t.setTimeout(300_000);

interface Ended {
  code: number;
  output: string;
  errors: string;
}

function holdfast(t: Test, env: NodeJS.ProcessEnv, ...args: string[]): Promise<Ended> {
  const bin = join(packageRoot, 'lib/holdfast.bundle.cjs');
  const cwd = existsSync(t.testdirName) ? t.testdirName : t.testdir(); // which empties it
  const options = { env: { ...childEnv(), ...env }, cwd };
  return new Promise((resolve) => {
    execFile(process.execPath, [bin, ...args], options, (error, output, errors) => {
      const code = typeof error?.code === 'number' ? error.code : 0;
      resolve({ code, output, errors });
    });
  });
}

await t.test('the address of a store', async (t) => {
  t.strictSame(storeOptions('etcd://a:1,b/shop/eu', {}), {
    endpoints: ['http://a:1', 'http://b'],
    prefix: 'shop/eu',
  });
  t.strictSame(storeOptions('etcds://me:p%3Aw@a', { ETCDCTL_USER: 'other:x' }), {
    endpoints: ['https://a'],
    auth: { user: 'me', password: 'p:w' },
    tls: {},
  });
  t.strictSame(storeOptions('etcd://a%3Ab:c:%3Ad@a', {}).auth, {
    user: 'a:b',
    password: 'c::d',
  });
  t.strictSame(storeOptions('etcd://a', { ETCDCTL_USER: 'a%3Ab:c' }).auth, {
    user: 'a%3Ab',
    password: 'c',
  });
  const nowhere = join(packageRoot, 'not there.pem');
  for (const variable of ['ETCDCTL_CACERT', 'ETCDCTL_CERT', 'ETCDCTL_KEY']) {
    const message = new RegExp(`^${variable} .*not there.pem`);
    const env = { [variable]: nowhere };
    t.throws(() => storeOptions('etcds://a', env), { name: 'UsageError', message }, variable);
  }
  t.throws(() => storeOptions('etcd://%zz@a', {}), { name: 'UsageError' });
  for (const wrong of ['', 'redis://a', 'etcd://', 'etcd:///x']) {
    t.throws(() => storeOptions(wrong, {}), { name: 'UsageError' }, wrong);
  }
});

async function suite(etcd: Etcd): Promise<void> {
  const [endpoint = ''] = etcd.endpoints;
  const store = endpoint.replace('http:', 'etcd:') + '/command';

  await t.test('every command', async (t) => {
    const root = join(t.testdir(), 'not yet');
    const env = { HOLDFAST_STORE: store, HOLDFAST_OWNER: 'me', HOLDFAST_ROOT: root };
    const run = (...args: string[]): Promise<Ended> => holdfast(t, env, ...args);
    const locked = await run('lock', 'name', '--ttl', '60s', '--json');
    t.equal(locked.code, 0, locked.errors);
    t.equal(locked.errors, '');
    const { token } = JSON.parse(locked.output) as { token: string };
    const status = await run('status', '--json');
    t.match(JSON.parse(status.output), { leases: [{ name: 'name', token, state: 'held' }] });
    t.match(JSON.parse(status.output), { root: store });
    const named = await holdfast(t, { HOLDFAST_OWNER: 'you' }, 'lock', 'name', '--store', store);
    t.equal(named.code, 2, 'held by another');
    t.match(named.errors, /held by me/);
    t.match((await run('why', 'name')).output, /me/);
    t.equal((await run('unlock', 'name')).code, 0);
    t.equal((await run('exists', 'name')).code, 3);
    t.equal((await run('freeze', 'name', '--ttl', '60s')).code, 0);
    t.equal((await run('lock', 'name', '--ttl', '5s')).code, 2);
    t.equal((await run('unfreeze', 'name')).code, 0);
    const print = ['--', process.execPath, '-p', 'process.env.HOLDFAST_TOKEN'];
    const guarded = await run('guard', 'name', ...print);
    t.equal(guarded.code, 0, guarded.errors);
    t.ok(BigInt(guarded.output.trim()) > BigInt(token));
    const log = await run('audit', '--json');
    t.equal(log.code, 0, log.errors);
    const lines = log.output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    t.match(
      lines,
      ['acquire', 'release', 'freeze', 'deny', 'unfreeze', 'acquire', 'release'].map((event) => ({
        event,
        name: 'name',
        by: 'me',
      })),
      'what this machine has done; others have logs of their own',
    );
    // Not by the variable: the child is told of what was named.
    const inner = ['guard', 'other', '--store', store, '--', process.execPath, '-p'];
    const told = await holdfast(t, {}, ...inner, 'process.env.HOLDFAST_STORE');
    t.equal(told.output.trim(), store, told.errors);
    const seen = ['status', '--json', '--store', store];
    const within = [
      'guard',
      'own',
      '--',
      process.execPath,
      join(packageRoot, 'lib/holdfast.bundle.cjs'),
    ];
    const status2 = await run(...within, 'status', '--json');
    t.match(JSON.parse(status2.output), { leases: [{ name: 'own', state: 'held' }] });
    t.match(JSON.parse((await holdfast(t, {}, ...seen)).output), { leases: [] });
    const doctor = await run('doctor');
    t.equal(doctor.code, 0, doctor.output);
    t.match(doctor.output, /answers after/);
  });

  await t.test('where nobody answers, and where two places are named', async (t) => {
    const nowhere = `etcd://127.0.0.1:${await freePort()}`;
    const failed = await holdfast(t, {}, 'status', '--store', nowhere, '--json');
    t.equal(failed.code, 1);
    t.match(JSON.parse(failed.output), { code: 'ERR_LOCK_STORE_UNAVAILABLE' });
    t.equal((await holdfast(t, {}, 'doctor', '--store', nowhere)).code, 1);
    const both = await holdfast(t, {}, 'status', '--store', nowhere, '--root', '.');
    t.equal(both.code, 64);
    const files = await holdfast(t, { HOLDFAST_STORE: nowhere }, 'status', '--root', '.');
    t.equal(files.code, 0, 'a folder that is named comes before a variable');
  });
}

if (withoutEtcd === false) await suite(await Etcd.start(t));
else await t.test('with an etcd', { skip: withoutEtcd }, () => undefined);
