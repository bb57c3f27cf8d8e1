/**
 * What must hold for any record, any liveness and any clocks: a verdict makes sense, no wall clock ends
 * a lease that a better clock judges or keeps it for ever, and what is over stays over.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';

import type { Now } from '../lib/expiry.js';
import { takeable, verdict, type Evidence, type Judgement, type State } from '../lib/staleness.js';
import { seedOf, someFreeze, someRecord } from './helpers/records.js';

type Lease = typeof someRecord;

const year = 365 * 24 * 3_600_000;
const valid = (record: Lease): Evidence['record'] => ({ state: 'valid', record });

const span = fc.integer({ min: 1, max: 10 * year });
const instant = fc.integer({ min: 0, max: 20 * year });
const kind = fc.constantFrom('attached' as const, 'detached' as const);
const bootId = fc.constantFrom('boot-a', 'boot-b', null);
const timeNamespace = fc.constantFrom('time-a', 'time-b', null);

const ended = { expires: null, deadline: null };

/** Records of all kinds, with clocks that need not agree. */
const anyLease = fc
  .record({
    kind,
    ttl: fc.option(span),
    expires: instant,
    deadline: fc.option(instant),
    bootId,
    timeNamespace,
    name: fc.constantFrom('deploy', 'deploy', 'deploy', 'other'),
  })
  .map((fields) => ({ ...someRecord, ...fields, ...(fields.ttl === null ? ended : {}) }));

const unreadable = fc.constantFrom(
  null,
  { state: 'corrupt', reason: 'empty' } as const,
  { state: 'newer', version: 2 } as const,
  { state: 'sidecar' } as const,
);
const anyFreeze = fc
  .record({ ttl: span, expires: instant, deadline: fc.option(instant), bootId, timeNamespace })
  .map((fields): Evidence['freeze'] => ({ state: 'valid', freeze: { ...someFreeze, ...fields } }));

const anyEvidence: fc.Arbitrary<Evidence> = fc
  .record({
    record: fc.oneof({ weight: 4, arbitrary: anyLease.map(valid) }, unreadable),
    liveness: fc.constantFrom('alive' as const, 'none' as const, 'unknown' as const),
    freeze: fc.oneof({ weight: 2, arbitrary: fc.constant(null) }, unreadable, anyFreeze),
    recordSeenSinceMs: instant,
    freezeSeenSinceMs: instant,
    watched: fc.boolean(),
  })
  .map(({ watched, recordSeenSinceMs, freezeSeenSinceMs, ...rest }) => {
    const seen = watched ? { recordSeenSinceMs, freezeSeenSinceMs } : {};
    return { name: 'deploy', ...rest, ...seen };
  });

const anyNow: fc.Arbitrary<Now> = fc.record({
  wallMs: instant,
  monotonicMs: instant,
  boottimeMs: instant,
  bootId,
  timeNamespace,
  injected: fc.boolean(),
});

const parameters = { seed: seedOf(t), numRuns: 4000 };

/** The lease that a record tells of, if it is one; the others are not judged by time. */
function leaseOf({ record }: Evidence): Lease | undefined {
  return record?.state === 'valid' ? record.record : undefined;
}

await t.test('total: any evidence has a verdict that makes sense', async (t) => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(anyEvidence, anyNow, (evidence, time) => {
      const found = verdict(evidence, time);
      seen.add(`${found.state}: ${found.why}`);
      assert.equal(found.lookAgainMs === null, takeable(found.state));
      assert.equal(found.state === 'frozen', found.beneath !== found.state);
      assert.ok(found.beneath !== 'held' || found.state === 'held');
      assert.ok(
        found.lookAgainMs === null || (found.lookAgainMs >= 1 && found.lookAgainMs <= 1000),
      );
      if (found.state === 'dead') assert.notEqual(evidence.liveness, 'alive');
      if (found.state === 'dead') assert.equal(leaseOf(evidence)?.kind, 'attached');
      if (found.state === 'corrupt') assert.equal(evidence.liveness, 'none');
      if (found.state === 'expired') assert.ok(found.leftMs !== null && found.leftMs <= 0);
    }),
    { ...parameters, numRuns: 1500 },
  );
  t.ok(seen.size >= 12, [...seen].sort().join(', '));
});

/** All that could differ because of a wall clock: everything but the date that it would show. */
function withoutDates(found: Judgement): Judgement {
  return { ...found, until: null };
}

await t.test('the wall clock jumps: nothing ends early, nothing lives for ever', async () => {
  const independent = (evidence: Evidence, time: Now): boolean => {
    const lease = leaseOf(evidence);
    if (time.injected || lease === undefined) return false;
    // A boot that cannot be told apart is not another one; attached leases never ask the wall clock.
    return lease.kind === 'attached' || lease.bootId === time.bootId || time.bootId === null;
  };
  fc.assert(
    fc.property(anyEvidence, anyNow, fc.integer({ min: 0, max: 8e15 }), (given, time, wallMs) => {
      const evidence = { ...given, freeze: null };
      fc.pre(independent(evidence, time));
      const before = withoutDates(verdict(evidence, time));
      assert.deepEqual(withoutDates(verdict(evidence, { ...time, wallMs })), before);
    }),
    { ...parameters, numRuns: 1500 },
  );
  // Watched for a whole TTL it ends, wherever the wall clock is, whatever the deadline says.
  fc.assert(
    fc.property(anyEvidence, anyNow, (evidence, given) => {
      const { ttl = null, name } = leaseOf(evidence) ?? {};
      fc.pre(ttl !== null && name === evidence.name);
      const time = { ...given, injected: false };
      const watched = { ...evidence, freeze: null, recordSeenSinceMs: time.monotonicMs };
      const later = { ...time, monotonicMs: time.monotonicMs + ttl };
      return takeable(verdict(watched, later).state);
    }),
    parameters,
  );
});

const alive = { name: 'deploy', liveness: 'alive', freeze: null } as const;

await t.test('a live holder that was granted now keeps it for the TTL', async () => {
  fc.assert(
    fc.property(kind, span, anyNow, instant, fc.nat(), (kind, ttl, given, wallMs, part) => {
      const time = { ...given, injected: false, bootId: 'boot-a', timeNamespace: 'time-a' };
      const deadline = ttl + (kind === 'attached' ? time.monotonicMs : time.boottimeMs);
      const { bootId, timeNamespace } = time;
      const record = { ...someRecord, kind, ttl, deadline, bootId, timeNamespace };
      const seen = { ...alive, record: valid(record), recordSeenSinceMs: time.monotonicMs };
      const after = (ms: number): State =>
        verdict(seen, {
          ...time,
          wallMs,
          monotonicMs: time.monotonicMs + ms,
          boottimeMs: time.boottimeMs + ms,
        }).state;
      return after(part % ttl) === 'held' && after(ttl) === 'expired';
    }),
    parameters,
  );
});

await t.test('what may be taken may be taken later, unless it is renewed', async () => {
  const steps = fc.record({ wall: instant, asleep: instant, awake: instant });
  fc.assert(
    fc.property(anyEvidence, anyNow, steps, (evidence, time, { wall, asleep, awake }) => {
      fc.pre(takeable(verdict(evidence, time).state));
      const later: Now = {
        ...time,
        wallMs: time.wallMs + wall,
        monotonicMs: time.monotonicMs + awake,
        boottimeMs: time.boottimeMs + awake + asleep,
      };
      return takeable(verdict(evidence, later).state);
    }),
    parameters,
  );
});
