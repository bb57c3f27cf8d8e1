/** Shared holders: together with each other, apart from an exclusive one, and in turn. */
import { join } from 'node:path';
import t from 'tap';

import { lock, tryLock } from '../../lib/index.js';
import { Peer } from '../helpers/peer.js';

await t.test(
  'shared holders of several processes coexist and exclude an exclusive one',
  async (t) => {
    const resource = join(t.testdir(), 'data');
    const peers = await Peer.startAll(t, 3);
    const held = await Promise.all(peers.map((peer) => peer.lock(resource, { shared: true })));
    t.equal(tryLock(resource), null, 'exclusive');
    tryLock(resource, { shared: true })?.release();
    for (const [i, { id, previous }] of held.entries()) {
      t.equal(previous, null, 'a shared holder leaves no name behind');
      t.equal(tryLock(resource), null);
      await peers[i]?.release(id);
    }
    const exclusive = tryLock(resource);
    t.equal(exclusive?.previous, null);
    for (const peer of peers) t.equal(await peer.tryLock(resource, { shared: true }), null);
    exclusive?.release();
  },
);

await t.test('a waiting exclusive one is not overtaken by later shared ones', async (t) => {
  const resource = join(t.testdir(), 'data');
  const order: string[] = [];
  const note = async (name: string, shared: boolean): Promise<void> => {
    const held = await lock(resource, { shared });
    order.push(name);
    await new Promise(setImmediate);
    held.release();
  };
  const first = await lock(resource, { shared: true });
  const waits = [
    note('exclusive 1', false),
    note('shared 1', true),
    note('shared 2', true),
    note('exclusive 2', false),
    note('shared 3', true),
  ];
  // The kernel would let these in at once.
  tryLock(resource, { shared: true })?.release();
  first.release();
  await Promise.all(waits);
  t.strictSame(order, ['exclusive 1', 'shared 1', 'shared 2', 'exclusive 2', 'shared 3']);
});

await t.test('shared waiters behind each other are let in together', async (t) => {
  const resource = join(t.testdir(), 'data');
  const first = await lock(resource);
  const waits = [1, 2, 3].map(() => lock(resource, { shared: true }));
  first.release();
  const held = await Promise.all(waits); // would hang if they were served one after the other
  t.equal(held.length, 3);
  for (const each of held) each.release();
});
