/** Whoever tries at the same moment: exactly one gets it (scenarios E2). */
import { join } from 'node:path';
import t from 'tap';

import { tryLock } from '../../lib/index.js';
import { Peer } from '../helpers/peer.js';

await t.test('32 processes at a barrier, 20 rounds: one winner each', async (t) => {
  const resource = join(t.testdir(), 'data');
  const peers = await Peer.startAll(t, 32);
  for (let round = 0; round < 20; round++) {
    const results = await Promise.all(peers.map((peer) => peer.tryLock(resource)));
    const winners = results.flatMap((result, i) => (result === null ? [] : [{ i, id: result.id }]));
    t.equal(winners.length, 1, `round ${round}`);
    await Promise.all(winners.map(async ({ i, id }) => peers[i]?.release(id)));
  }
});

await t.test('64 handles in one process, 1000 rounds: one winner each', (t) => {
  const resource = join(t.testdir(), 'data');
  let wrong = 0;
  for (let round = 0; round < 1000; round++) {
    const winners = Array.from({ length: 64 }, () => tryLock(resource)).filter((l) => l !== null);
    if (winners.length !== 1) wrong++;
    for (const winner of winners) winner.release();
  }
  t.equal(wrong, 0);
  t.end();
});

await t.test('a lock of the parent keeps its child out for as long as it is held', async (t) => {
  const resource = join(t.testdir(), 'data');
  const child = await Peer.start(t);
  const held = tryLock(resource);
  t.equal(await child.tryLock(resource), null);
  await t.rejects(child.lock(resource, { timeout: 100 }), { code: 'ERR_LOCK_TIMEOUT' });
  held?.release();
  t.ok(await child.tryLock(resource));
  t.equal(tryLock(resource), null);
});
