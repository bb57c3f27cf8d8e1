/** Who acts, and who may have it again: only who has said a name, and only what outlives a process. */
import { hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import t from 'tap';

import { Leases } from '../../lib/index.js';
import { callMain } from '../helpers/cli.js';

interface Told {
  owner: string;
  id: string;
  token: string;
  renewed: boolean;
  ttl: number;
}

await t.test('--owner, HOLDFAST_OWNER, LOKT_OWNER, user@host', async (t) => {
  const dir = t.testdir();
  const all = { HOLDFAST_OWNER: 'second', LOKT_OWNER: 'third', HOLDFAST_ROOT: dir };
  const cases = [
    [['--owner', 'first'], all, 'first'],
    [[], all, 'second'],
    [[], { ...all, HOLDFAST_OWNER: undefined }, 'third'],
    [[], { HOLDFAST_ROOT: dir }, `${userInfo().username}@${hostname()}`],
    [[], { HOLDFAST_ROOT: dir, HOLDFAST_OWNER: '' }, `${userInfo().username}@${hostname()}`],
  ] as const;
  for (const [at, [words, env, owner]] of cases.entries()) {
    const { code, out } = await callMain(['lock', `x${at}`, '--json', ...words], env);
    t.equal(code, 0);
    t.match(JSON.parse(out), { owner });
  }
});

await t.test('a named owner has it again: same id, same token, a new TTL', async (t) => {
  const env = { HOLDFAST_ROOT: t.testdir(), HOLDFAST_OWNER: 'me' };
  const lock = async (...words: string[]): Promise<Told> => {
    const { code, out } = await callMain(['lock', 'x', '--json', ...words], env);
    t.equal(code, 0);
    return JSON.parse(out) as Told;
  };
  const first = await lock('--ttl', '5m');
  t.match(first, { renewed: false, ttl: 300_000 });
  for (const words of [
    ['--ttl', '1h'],
    ['--ttl', '1s', '--wait'],
    ['--owner', 'me', '--ttl', '9m'],
  ]) {
    const { id, token } = first;
    t.match(await lock(...words), { id, token, renewed: true });
  }
  t.match(await new Leases({ dir: env.HOLDFAST_ROOT }).inspect('x'), {
    id: first.id,
    ttl: 540_000,
  });
});

await t.test('nobody else: not the default owner, not of an attached lease', async (t) => {
  const dir = join(t.testdir(), 'leases');
  const env = { HOLDFAST_ROOT: dir };
  t.match(await callMain(['lock', 'x'], env), { code: 0 });
  t.match(await callMain(['lock', 'x'], env), { code: 2, err: /^x is held by / });
  t.match(await callMain(['lock', 'x', '--owner', 'me'], env), { code: 2 });
  const lease = await new Leases({ dir, owner: 'me' }).acquire('attached');
  t.match(await callMain(['lock', 'attached', '--owner', 'me'], env), { code: 2 });
  await lease.release();
});

await t.test('the default owner may end what it took', async (t) => {
  const env = { HOLDFAST_ROOT: t.testdir() };
  t.match(await callMain(['lock', 'x'], env), { code: 0 });
  t.match(await callMain(['unlock', 'x'], { ...env, HOLDFAST_OWNER: 'other' }), { code: 4 });
  t.match(await callMain(['unlock', 'x'], env), { code: 0 });
});
