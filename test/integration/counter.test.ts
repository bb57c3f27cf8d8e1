/** Nobody's update is lost: processes, worker threads, and both at once (scenarios C1, C4, E1). */
import t from 'tap';

import { assertExact, full } from '../helpers/counting.js';
import { Peer } from '../helpers/peer.js';

/** How often a crew of processes that has been started counts together. */
const rounds = full ? 5 : 2;

await t.test('16 processes', async (t) => {
  await assertExact(t, await Peer.startAll(t, 16), full ? 100 : 50);
});

await t.test('10 processes x 20 increments, in rounds', async (t) => {
  const peers = await Peer.startAll(t, 10);
  for (let round = 0; round < rounds; round++) await assertExact(t, peers, 20);
});

await t.test('10 worker threads x 20 increments, in rounds', async (t) => {
  const peers = await Peer.startAll(t, 10, { thread: true });
  for (let round = 0; round < rounds; round++) await assertExact(t, peers, 20);
});

await t.test('5 processes and 5 worker threads x 20 increments, in rounds', async (t) => {
  const peers = [...(await Peer.startAll(t, 5)), ...(await Peer.startAll(t, 5, { thread: true }))];
  for (let round = 0; round < rounds; round++) await assertExact(t, peers, 20);
});

await t.test('without a sidecar: 8 processes x 50 increments', async (t) => {
  await assertExact(t, await Peer.startAll(t, 8), 50, { sidecar: false });
});

await t.test('holders that remove the sidecar before they release: 8 x 50', async (t) => {
  await assertExact(t, await Peer.startAll(t, 8), 50, { unlink: true });
});

if (full) {
  await t.test('32 processes x 200 increments', async (t) => {
    await assertExact(t, await Peer.startAll(t, 32), 200);
  });
}
