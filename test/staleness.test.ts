/** May it be taken? Row by row. What must hold for any row is in staleness.property.test.ts. */
import t from 'tap';

import type { Now } from '../lib/expiry.js';
import { longestLookMs, takeable, verdict } from '../lib/staleness.js';
import type { Evidence, State, Why } from '../lib/staleness.js';
import { detached, endless, someFreeze, someRecord } from './helpers/records.js';

/** Ten seconds after the grant, twenty before the end, by every clock. */
const now: Now = {
  wallMs: 1_700_000_010_000,
  monotonicMs: 110_000,
  boottimeMs: 110_000,
  bootId: someRecord.bootId,
  timeNamespace: someRecord.timeNamespace,
  injected: false,
};
const hour = 3_600_000;
const year = 365 * 24 * hour;
const valid = (record: typeof someRecord): Evidence['record'] => ({ state: 'valid', record });
const frozen = (freeze: Partial<typeof someFreeze> = {}): Evidence['freeze'] => ({
  state: 'valid',
  freeze: { ...someFreeze, ...freeze },
});

/** Alive, attached, with a TTL; each row says what is different. */
const held: Evidence = {
  name: 'deploy',
  record: valid(someRecord),
  liveness: 'alive',
  freeze: null,
};
const lasting: Evidence = { ...held, record: valid(endless(someRecord)) };
const left: Evidence = { ...held, record: valid(detached(someRecord)), liveness: 'none' };
const leftLasting: Evidence = { ...left, record: valid(endless(detached(someRecord))) };
const free: Evidence = { ...held, record: null, liveness: 'none' };
const corrupt: Evidence = { ...held, record: { state: 'corrupt', reason: 'checksum' } };
const newer: Evidence = { ...held, record: { state: 'newer', version: 2 }, liveness: 'none' };
const sidecar: Evidence = { ...held, record: { state: 'sidecar' }, liveness: 'none' };
const misnamed: Evidence = { ...held, name: 'Deploy', liveness: 'none' };
const unread: Evidence = { ...held, record: valid({ ...someRecord, deadline: null }) };
const unreadLeft: Evidence = {
  ...left,
  record: valid({ ...detached(someRecord), deadline: null }),
};

const at = (monotonicMs: number, change: Partial<Now> = {}): Now => ({
  ...now,
  monotonicMs,
  boottimeMs: monotonicMs,
  ...change,
});
const rebooted = { bootId: 'another-boot' };
const elsewhere = { timeNamespace: 'time:[4026532999]' };
const nowhere = { bootId: null };
const clock = (wallMs: number): Partial<Now> => ({ wallMs, injected: true });

type Row = [what: string, evidence: Evidence, now: Now, state: State, why: Why, leftMs?: number];

// prettier-ignore
const rows: Row[] = [
  ['nothing there', free, now, 'free', 'no record'],
  ['nothing there, liveness not probed', { ...free, liveness: 'unknown' }, now, 'free', 'no record'],

  // Attached, no TTL: only death ends it.
  ['alive', lasting, now, 'held', 'holder alive'],
  ['alive for years', lasting, at(10 * year), 'held', 'holder alive'],
  ['alive, seen for years', { ...lasting, recordSeenSinceMs: 0 }, at(year), 'held', 'holder alive'],
  ['dead', { ...lasting, liveness: 'none' }, now, 'dead', 'holder dead'],
  ['not probed', { ...lasting, liveness: 'unknown' }, now, 'held', 'liveness unknown'],
  ['not probed, other boot', { ...lasting, liveness: 'unknown' }, at(5, rebooted), 'dead', 'other boot'],
  ['alive, other boot', lasting, at(5, rebooted), 'held', 'holder alive'],
  ['not probed, boot unknown', { ...lasting, liveness: 'unknown' }, at(5, nowhere), 'held', 'liveness unknown'],

  // Attached with TTL: dead, or past the deadline.
  ['ten seconds on', held, now, 'held', 'holder alive', 20_000],
  ['a millisecond before', held, at(129_999), 'held', 'holder alive', 1],
  ['a fraction before', held, at(129_999.5), 'held', 'holder alive', 0.5],
  ['the deadline', held, at(130_000), 'expired', 'ttl over', 0],
  ['long after', held, at(10 * year), 'expired', 'ttl over'],
  ['dead before the deadline', { ...held, liveness: 'none' }, now, 'dead', 'holder dead', 20_000],
  ['dead after the deadline', { ...held, liveness: 'none' }, at(130_000), 'dead', 'holder dead', 0],
  ['not probed, before', { ...held, liveness: 'unknown' }, now, 'held', 'liveness unknown', 20_000],
  ['not probed, after', { ...held, liveness: 'unknown' }, at(130_000), 'expired', 'ttl over', 0],
  ['slept: only the boot time ran on', held, at(110_000, { boottimeMs: year }), 'held', 'holder alive', 20_000],
  ['wall clock an hour on', held, at(110_000, { wallMs: now.wallMs + hour }), 'held', 'holder alive', 20_000],
  ['wall clock an hour back, after', held, at(130_000, { wallMs: now.wallMs - hour }), 'expired', 'ttl over', 0],
  ['wall clock at 1970, after', held, at(130_000, { wallMs: 0 }), 'expired', 'ttl over', 0],

  // Detached: the TTL alone, by the boot time.
  ['ten seconds on', left, now, 'held', 'detached', 20_000],
  ['a millisecond before', left, at(129_999), 'held', 'detached', 1],
  ['the deadline', left, at(130_000), 'expired', 'ttl over', 0],
  ['somebody locks its file', { ...left, liveness: 'alive' }, now, 'held', 'detached', 20_000],
  ['somebody locks its file, after', { ...left, liveness: 'alive' }, at(130_000), 'expired', 'ttl over', 0],
  ['not probed, after', { ...left, liveness: 'unknown' }, at(130_000), 'expired', 'ttl over', 0],
  ['slept past the deadline', left, at(110_000, { boottimeMs: 130_000 }), 'expired', 'ttl over', 0],
  ['wall clock an hour on', left, at(110_000, { wallMs: now.wallMs + hour }), 'held', 'detached', 20_000],
  ['wall clock an hour back, after', left, at(130_000, { wallMs: now.wallMs - hour }), 'expired', 'ttl over', 0],
  ['no TTL', leftLasting, now, 'held', 'detached'],
  ['no TTL, years later', leftLasting, at(10 * year), 'held', 'detached'],
  ['no TTL, other boot', leftLasting, at(5, rebooted), 'held', 'detached'],

  // Another boot: what was attached is dead, what was detached has the wall clock.
  ['attached, nobody lives', { ...held, liveness: 'none' }, at(5, rebooted), 'dead', 'holder dead', 30_000],
  ['attached, not probed', { ...held, liveness: 'unknown' }, at(5, rebooted), 'dead', 'other boot', 30_000],
  ['attached, yet alive: watched', held, at(year, rebooted), 'held', 'holder alive', 30_000],
  ['detached, before', left, at(5, rebooted), 'held', 'detached', 20_000],
  ['detached, at the end', left, at(5, { ...rebooted, wallMs: 1_700_000_030_000 }), 'expired', 'ttl over', 0],
  ['detached, the monotonic clock says nothing', left, at(year, rebooted), 'held', 'detached', 20_000],
  ['detached, wall clock not set yet', left, at(5, { ...rebooted, wallMs: 0 }), 'held', 'detached', 30_000],
  ['the same, watched for the TTL', { ...left, recordSeenSinceMs: 5 }, at(30_005, { ...rebooted, wallMs: 0 }), 'expired', 'ttl over', 0],

  // Another time namespace, offsets not known: a full TTL of watching.
  ['not watched yet', held, at(10 * year, elsewhere), 'held', 'holder alive', 30_000],
  ['watched for less', { ...held, recordSeenSinceMs: 200_000 }, at(229_999, elsewhere), 'held', 'holder alive', 1],
  ['watched for all of it', { ...held, recordSeenSinceMs: 200_000 }, at(230_000, elsewhere), 'expired', 'ttl over', 0],
  ['watched since the future', { ...held, recordSeenSinceMs: 300_000 }, at(230_000, elsewhere), 'held', 'holder alive', 30_000],
  ['detached, not watched yet', left, at(10 * year, elsewhere), 'held', 'detached', 30_000],
  ['detached, watched', { ...left, recordSeenSinceMs: 0 }, at(30_000, elsewhere), 'expired', 'ttl over', 0],
  ['detached, wall clock over', left, at(1, { ...elsewhere, wallMs: 8e15 }), 'held', 'detached', 30_000],
  ['dead is dead', { ...held, liveness: 'none' }, at(1, elsewhere), 'dead', 'holder dead', 30_000],
  ['no namespaces here', held, at(year, { timeNamespace: null }), 'held', 'holder alive', 30_000],

  // Not known which boot: watched, too.
  ['we do not know ours', held, at(year, nowhere), 'held', 'holder alive', 30_000],
  ['it did not know its own', { ...held, record: valid({ ...someRecord, bootId: null }) }, at(year), 'held', 'holder alive', 30_000],
  ['neither knows', { ...held, record: valid({ ...someRecord, bootId: null }) }, at(year, nowhere), 'held', 'holder alive', 30_000],
  ['detached, watched', { ...left, recordSeenSinceMs: 0 }, at(30_000, nowhere), 'expired', 'ttl over', 0],

  // Written by an injected clock: no deadline.
  ['not watched yet', unread, at(year), 'held', 'holder alive', 30_000],
  ['watched', { ...unread, recordSeenSinceMs: 0 }, at(30_000), 'expired', 'ttl over', 0],
  ['detached, not watched yet', unreadLeft, at(year), 'held', 'detached', 30_000],
  ['detached, other boot', unreadLeft, at(1, { ...rebooted, wallMs: 1_700_000_030_000 }), 'expired', 'ttl over', 0],

  // A clock is injected: it decides every TTL, and nothing else.
  ['before', held, at(year, clock(1_700_000_029_999)), 'held', 'holder alive', 1],
  ['the end', held, at(0, clock(1_700_000_030_000)), 'expired', 'ttl over', 0],
  ['watched for years', { ...held, recordSeenSinceMs: 0 }, at(year, clock(0)), 'held', 'holder alive', 1_700_000_030_000],
  ['detached, before', left, at(year, clock(1_700_000_029_999)), 'held', 'detached', 1],
  ['detached, the end', left, at(0, clock(1_700_000_030_000)), 'expired', 'ttl over', 0],
  ['other boot does not count', { ...held, liveness: 'unknown' }, at(0, { ...clock(0), ...rebooted }), 'held', 'liveness unknown', 1_700_000_030_000],
  ['other namespace does not count', held, at(0, { ...clock(1_700_000_030_000), ...elsewhere }), 'expired', 'ttl over', 0],
  ['dead is dead', { ...held, liveness: 'none' }, at(0, clock(0)), 'dead', 'holder dead', 1_700_000_030_000],
  ['no TTL', lasting, at(0, clock(8e15)), 'held', 'holder alive'],
  ['no deadline needed', unread, at(0, clock(1_700_000_030_000)), 'expired', 'ttl over', 0],

  // What cannot be read.
  ['damaged, nobody behind it', { ...corrupt, liveness: 'none' }, now, 'corrupt', 'unreadable'],
  ['damaged, somebody behind it', corrupt, now, 'held', 'holder alive'],
  ['damaged, not probed', { ...corrupt, liveness: 'unknown' }, now, 'held', 'liveness unknown'],
  ['damaged, somebody, watched', { ...corrupt, recordSeenSinceMs: 0 }, at(year), 'held', 'holder alive'],
  ['newer', newer, now, 'held', 'newer version'],
  ['newer, years later', { ...newer, recordSeenSinceMs: 0 }, at(year, rebooted), 'held', 'newer version'],
  ['a sidecar', sidecar, now, 'held', 'sidecar'],
  ['another name, and dead', misnamed, now, 'held', 'other name', 20_000],
  ['another name, and over', misnamed, at(year), 'held', 'other name'],

  // Frozen: no new holder; who holds goes on.
  ['free', { ...free, freeze: frozen() }, now, 'frozen', 'freeze', 50_000],
  ['held', { ...held, freeze: frozen() }, now, 'held', 'holder alive', 20_000],
  ['held, not probed', { ...lasting, liveness: 'unknown', freeze: frozen() }, now, 'held', 'liveness unknown'],
  ['expired', { ...held, freeze: frozen() }, at(130_000), 'frozen', 'freeze', 30_000],
  ['dead', { ...held, liveness: 'none', freeze: frozen() }, now, 'frozen', 'freeze', 50_000],
  ['damaged', { ...corrupt, liveness: 'none', freeze: frozen() }, now, 'frozen', 'freeze', 50_000],
  ['newer', { ...newer, freeze: frozen() }, now, 'held', 'newer version'],
  ['a millisecond before it ends', { ...free, freeze: frozen() }, at(159_999), 'frozen', 'freeze', 1],
  ['it ended', { ...free, freeze: frozen() }, at(160_000), 'free', 'no record'],
  ['it ended while the machine slept', { ...free, freeze: frozen() }, at(110_000, { boottimeMs: 160_000 }), 'free', 'no record'],
  ['both ended', { ...held, freeze: frozen() }, at(160_000), 'expired', 'ttl over'],
  ['wall clock an hour on', { ...free, freeze: frozen() }, at(110_000, { wallMs: now.wallMs + hour }), 'frozen', 'freeze', 50_000],
  ['other boot', { ...free, freeze: frozen() }, at(5, rebooted), 'frozen', 'freeze', 50_000],
  ['other boot, over', { ...free, freeze: frozen() }, at(5, { ...rebooted, wallMs: 1_700_000_060_000 }), 'free', 'no record'],
  ['other namespace', { ...free, freeze: frozen() }, at(year, elsewhere), 'frozen', 'freeze', 60_000],
  ['other namespace, watched', { ...free, freeze: frozen(), freezeSeenSinceMs: 0 }, at(60_000, elsewhere), 'free', 'no record'],
  ['only the record was watched', { ...free, freeze: frozen(), recordSeenSinceMs: 0 }, at(60_000, elsewhere), 'frozen', 'freeze', 60_000],
  ['injected clock', { ...free, freeze: frozen() }, at(year, clock(1_700_000_059_999)), 'frozen', 'freeze', 1],
  ['injected clock, over', { ...free, freeze: frozen() }, at(0, clock(1_700_000_060_000)), 'free', 'no record'],
  ['a damaged freeze is none', { ...free, freeze: { state: 'corrupt', reason: 'empty' } }, now, 'free', 'no record'],
  ['a newer freeze is one', { ...free, freeze: { state: 'newer', version: 2 } }, at(year), 'frozen', 'freeze'],
  ['so is what stands in its place', { ...free, freeze: { state: 'sidecar' } }, at(year), 'frozen', 'freeze'],
  ['so is one of another name', { ...free, freeze: frozen({ name: 'Deploy' }) }, at(year), 'frozen', 'freeze'],
];

await t.test('the table', async (t) => {
  t.ok(rows.length >= 60, `${rows.length} rows`);
  for (const [what, evidence, time, state, why, leftMs] of rows) {
    const found = verdict(evidence, time);
    const expected = { state, why, ...(leftMs === undefined ? {} : { leftMs }) };
    t.match(found, expected, `${what}: ${state}`);
  }
});

await t.test('who, until when, by which clock, and when to look again', async (t) => {
  t.strictSame(verdict(held, now), {
    state: 'held',
    why: 'holder alive',
    record: someRecord,
    corruption: null,
    leftMs: 20_000,
    judge: 'boot',
    until: now.wallMs + 20_000,
    lookAgainMs: longestLookMs,
    freeze: null,
    beneath: 'held',
  });
  t.match(verdict(held, at(130_000 - 250)), { leftMs: 250, lookAgainMs: 250 }, 'not too late');
  t.match(verdict(held, at(129_999.5)), { lookAgainMs: 1 }, 'nor too early');
  t.match(verdict(held, at(130_000)), { state: 'expired', lookAgainMs: null });
  t.match(verdict(lasting, now), { until: null, lookAgainMs: longestLookMs, judge: null });
  t.match(verdict(misnamed, at(year)), { lookAgainMs: 1 }, 'never in no time');
  t.equal(verdict({ ...corrupt, liveness: 'none' }, now).corruption, 'checksum');
  t.equal(verdict(free, now).corruption, null);

  t.equal(verdict(held, at(1, elsewhere)).judge, 'observed', 'the fall-back says so');
  t.equal(verdict(held, at(129_000)).judge, 'boot');
  const fresh = { ...held, recordSeenSinceMs: 99_999.4 };
  t.match(verdict(fresh, at(99_999.4)), { judge: 'boot', leftMs: 30_000 }, 'deadlines are rounded');
  t.match(verdict(fresh, at(99_998.9)), { judge: 'observed', leftMs: 30_000 }, 'by less than that');
  t.equal(verdict(left, at(1, rebooted)).judge, 'wall');
  t.equal(verdict(left, at(1, clock(0))).judge, 'injected');

  const farOff = { ...detached(someRecord), expires: 8.64e15, ttl: 8.64e15 };
  const { until } = verdict({ ...left, record: valid(farOff) }, at(0, { ...clock(0) }));
  t.notOk(Number.isNaN(new Date(until ?? NaN).getTime()), 'always a Date');
});

await t.test('a freeze tells who and until when, and what is beneath', async (t) => {
  const freeze = { freeze: someFreeze, leftMs: 50_000, judge: 'boot' };
  t.match(verdict({ ...held, freeze: frozen() }, now), { state: 'held', beneath: 'held', freeze });
  t.match(verdict({ ...held, liveness: 'none', freeze: frozen() }, now), {
    state: 'frozen',
    beneath: 'dead',
    record: someRecord,
    until: now.wallMs + 50_000,
    lookAgainMs: longestLookMs,
    freeze,
  });
  t.match(verdict({ ...free, freeze: { state: 'newer', version: 2 } }, now), {
    freeze: { freeze: null, leftMs: null, judge: null },
    until: null,
  });
});

await t.test('what may be taken', async (t) => {
  const states: State[] = ['free', 'held', 'expired', 'dead', 'corrupt', 'frozen'];
  t.strictSame(states.filter(takeable), ['free', 'expired', 'dead', 'corrupt']);
});

await t.test('even where the clocks are broken, it answers, and holds', async (t) => {
  for (const broken of [NaN, Infinity, -Infinity]) {
    for (const evidence of [held, left, lasting, corrupt, { ...free, freeze: frozen() }]) {
      const time = { ...now, wallMs: broken, monotonicMs: broken, boottimeMs: broken };
      t.doesNotThrow(() => verdict(evidence, time));
    }
  }
  t.equal(verdict(held, at(NaN)).state, 'held', 'not proved');
});
