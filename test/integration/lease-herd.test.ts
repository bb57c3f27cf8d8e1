/**
 * Herds: many processes meet a lease whose holder is dead, or whose TTL is over, or that is free. Who
 * is in is said by the witness, not by the library.
 */
import t, { type Test } from 'tap';

import { full } from '../helpers/counting.js';
import { meet, queueUp, soon } from '../helpers/herd.js';
import { LeasePeer, type Where } from '../helpers/lease-peer.js';
import { regressions, Witness } from '../helpers/witness.js';

const size = full ? 64 : 16;
const witness = new Witness(t);
const where: Where = { leases: { dir: t.testdir() } };
const start = (t: Test): Promise<LeasePeer> => LeasePeer.start(t, where, { witness });
const herd = await LeasePeer.startAll(t, size, where, { witness });

/** Whoever came in is in the log once, in the order of the grants. */
function assertTokens(t: Test, byte: number, grants: number): void {
  const tokens = witness.tokens(byte);
  t.equal(tokens.length, grants, `${grants} grants`);
  t.equal(regressions(tokens), 0, 'tokens rise');
}

await t.test('a dead holder has one successor', async (t) => {
  const rounds = full ? 60 : 8;
  const byte = 1;
  const dying: Promise<LeasePeer>[] = [start(t), start(t)];
  for (let round = 0; round < rounds; round++) {
    if (round + 2 < rounds) dying.push(start(t));
    const victim = await dying[round];
    if (victim === undefined) throw new Error('nobody to die');
    // Neither a TTL that is far from over nor a renewal on its way keeps a dead holder's lease.
    const held = await victim.acquire('dead', round % 2 === 0 ? {} : { ttl: 60_000 });
    t.ok(await victim.enter(byte, held.token));
    const at = soon(size);
    const meeting = meet(herd, 'dead', byte, { at });
    if (round % 4 === 3) {
      // It lives for as long as they try: nobody may get in.
      t.strictSame(await meeting, { winners: 0, met: 0 }, 'the holder lives');
      await victim.end();
      t.strictSame(await meet(herd, 'dead', byte), { winners: 1, met: 0 });
    } else {
      await victim.end(); // well before `at`, or in the midst of them: then some are too early
      const { winners, met } = await meeting;
      t.equal(met, 0);
      t.ok(winners <= 1, `${winners} winners`);
      if (winners === 0) t.strictSame(await meet(herd, 'dead', byte), { winners: 1, met: 0 });
    }
  }
  assertTokens(t, byte, 2 * rounds);
});

await t.test('all who wait for a holder that dies are served, one at a time', async (t) => {
  const rounds = full ? 10 : 2;
  const byte = 2;
  for (let round = 0; round < rounds; round++) {
    const victim = await start(t);
    const held = await victim.acquire('awaited', { ttl: 60_000 });
    await victim.enter(byte, held.token);
    const waits = queueUp(herd, 'awaited', byte);
    await herd[0]?.inspect('awaited'); // in its turn: that one at least waits by now
    await victim.end();
    const won = await waits;
    t.equal(won.length, size);
    t.equal(won.filter(({ alone }) => !alone).length, 0);
    t.equal(won.filter(({ ended }) => ended !== 'released').length, 0);
  }
  assertTokens(t, byte, rounds * (size + 1));
});

await t.test('an expired lease has one successor, or its late holder goes on', async (t) => {
  const rounds = full ? 60 : 12;
  const byte = 3;
  const ttl = 40;
  const late = await start(t);
  let renewals = 0;
  let taken = 0;
  for (let round = 0; round < rounds; round++) {
    const detached = round % 2 === 0;
    const held = await late.acquire('late', { ttl, detached, renew: false });
    await late.enter(byte, held.token);
    await late.leave(byte);
    const at = Math.max(soon(size), held.at + ttl * 1000 + 5000);
    const meeting = meet(herd, 'late', byte, { at });
    // Every third time it renews in the midst of them.
    let renewed = false;
    if (round % 3 === 2) {
      const refused = await late
        .renew(held, at - Math.random() * 3000)
        .catch((error: unknown) => error);
      renewed = !(refused instanceof Error);
      if (!renewed) t.match(refused, { code: 'ERR_LOCK_LOST' });
    }
    const { winners, met } = await meeting;
    t.equal(met, 0);
    // Renewed it may have expired once more before the last of them tried.
    if (renewed) t.ok(winners <= 1, 'at most one winner');
    else t.equal(winners, 1, 'one winner');
    renewals += Number(renewed);
    taken += winners;
    t.equal(await late.release(held), winners === 1 ? 'lost' : 'released');
  }
  t.comment(`${renewals} renewals in time`);
  assertTokens(t, byte, rounds + taken);
});

await t.test('a free lease has one holder', async (t) => {
  const rounds = full ? 100 : 20;
  const byte = 4;
  const peers = herd.slice(0, 32);
  for (let round = 0; round < rounds; round++) {
    // A new name has no guard yet, and so they also race to make it.
    const name = round % 2 === 0 ? 'free' : `new ${round}`;
    t.strictSame(await meet(peers, name, round % 2 === 0 ? byte : byte + 1 + round), {
      winners: 1,
      met: 0,
    });
  }
  assertTokens(t, byte, rounds / 2);
});
