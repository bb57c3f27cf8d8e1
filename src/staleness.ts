/**
 * The verdict: may the lease of this name be taken?
 *
 * Pure: from what was read, under the guard or not, and the clocks of that moment. Whoever acts on
 * it swaps exactly what was judged, so a verdict may be late but never does harm. Stale is what is
 * proved: dead, expired, or unreadable with nobody behind it. Unknown means held.
 */
import { lastMoment } from './clock.js';
import type { Corruption } from './envelope.js';
import { bootOf, timeLeft, type Left, type Now } from './expiry.js';
import type { FreezeRecord, ParsedFreeze } from './freeze.js';
import type { LeaseRecord, ParsedRecord } from './record.js';

/** Everything about a name that a verdict needs. Null: there is no such file. */
export interface Evidence {
  /** The name that was asked for; what names another one is not ours to judge. */
  readonly name: string;
  readonly record: ParsedRecord | null;
  /** Whether a kernel lock is held on the record's inode; `unknown`: not probed, or in vain. */
  readonly liveness: 'alive' | 'none' | 'unknown';
  readonly freeze: ParsedFreeze | null;
  /** Since when these very bytes have been seen, in ms of one's own monotonic clock. */
  readonly recordSeenSinceMs?: number | undefined;
  readonly freezeSeenSinceMs?: number | undefined;
}

/** Nobody holds it; somebody does; the TTL is over; the holder died; unreadable; none may begin. */
export type State = 'free' | 'held' | 'expired' | 'dead' | 'corrupt' | 'frozen';

export type Why =
  | 'no record'
  | 'holder alive'
  | 'liveness unknown'
  | 'detached'
  | 'ttl over'
  | 'holder dead'
  | 'other boot'
  | 'unreadable'
  | 'newer version'
  | 'sidecar'
  | 'other name'
  | 'freeze';

/** A freeze that is in force; null where it cannot be read by this version. */
export interface ActiveFreeze extends Left {
  readonly freeze: FreezeRecord | null;
}

/** What is known of a name. Times are durations, for every clock has its own zero. */
export interface Judgement extends Left {
  readonly state: State;
  readonly why: Why;
  /** Who holds or held it, if that can be read. */
  readonly record: LeaseRecord | null;
  /** Why it cannot be read, if that is so. */
  readonly corruption: Corruption | null;
  /** The end by the present wall clock, for people; null: none, or not to be foreseen. */
  readonly until: number | null;
  /** When to judge again at the latest, in ms; null: nothing to wait for. */
  readonly lookAgainMs: number | null;
  /** The freeze in force, also while somebody still holds the lease. */
  readonly freeze: ActiveFreeze | null;
  /** What it would be without the freeze; the same as `state` unless that is `frozen`. */
  readonly beneath: Exclude<State, 'frozen'>;
}

/** Nobody waits longer without judging again: the hints that end a wait may be lost. */
export const longestLookMs = 1000;

type Standing = 'absent' | 'sidecar' | 'newer' | 'misnamed' | 'corrupt' | 'attached' | 'detached';
type Row = [
  record: Standing,
  liveness: Evidence['liveness'] | '*',
  boot: ReturnType<typeof bootOf> | '*',
  ttl: 'over' | '*',
  state: Exclude<State, 'frozen'>,
  why: Why,
];

/** The first row that fits decides; the last one of each kind of record fits always. */
// prettier-ignore
const table: readonly Row[] = [
  // record     liveness   boot     ttl     verdict    why
  ['absent',   '*',       '*',     '*',    'free',    'no record'],
  ['sidecar',  '*',       '*',     '*',    'held',    'sidecar'],
  ['newer',    '*',       '*',     '*',    'held',    'newer version'],
  ['misnamed', '*',       '*',     '*',    'held',    'other name'],
  ['corrupt',  'none',    '*',     '*',    'corrupt', 'unreadable'],
  ['corrupt',  'alive',   '*',     '*',    'held',    'holder alive'],
  ['corrupt',  'unknown', '*',     '*',    'held',    'liveness unknown'],
  ['attached', 'none',    '*',     '*',    'dead',    'holder dead'],
  ['attached', 'unknown', 'other', '*',    'dead',    'other boot'],
  ['attached', '*',       '*',     'over', 'expired', 'ttl over'],
  ['attached', 'alive',   '*',     '*',    'held',    'holder alive'],
  ['attached', 'unknown', '*',     '*',    'held',    'liveness unknown'],
  ['detached', '*',       '*',     'over', 'expired', 'ttl over'],
  ['detached', '*',       '*',     '*',    'held',    'detached'],
];

/**
 * Judges a name. A freeze stops new holders only: what is held stays `held`, what could be taken is
 * `frozen`.
 *
 * @example
 * const { state, lookAgainMs } = verdict(evidence, now);
 * if (takeable(state)) return swap(evidence);
 * await sleep(lookAgainMs);
 */
export function verdict(evidence: Evidence, now: Now): Judgement {
  const found = evidence.record;
  const record = found?.state === 'valid' ? found.record : null;
  const clock = record?.kind === 'attached' ? 'monotonicMs' : 'boottimeMs';
  const left = record ? timeLeft(record, clock, now, evidence.recordSeenSinceMs) : endless;
  const [state, why] = lookUp(evidence, record, left, now);
  const freeze = freezeOf(evidence, now);
  const frozen = freeze !== null && state !== 'held';
  const shown = frozen ? 'frozen' : state;
  const { leftMs, judge } = frozen ? freeze : left;
  const { until, lookAgainMs } = ahead(shown, leftMs, now);
  return {
    state: shown,
    why: frozen ? 'freeze' : why,
    record,
    corruption: found?.state === 'corrupt' ? found.reason : null,
    until,
    lookAgainMs,
    leftMs,
    judge,
    freeze,
    beneath: state,
  };
}

/** True for what a new holder may take. */
export function takeable(state: State): boolean {
  return state !== 'held' && state !== 'frozen';
}

const endless: Left = { leftMs: null, judge: null };

function lookUp(
  evidence: Evidence,
  record: LeaseRecord | null,
  left: Left,
  now: Now,
): readonly [Row[4], Why] {
  const standing = standingOf(evidence, record);
  const boot = record ? bootOf(record, now) : 'unknown';
  const ttl = left.leftMs !== null && left.leftMs <= 0 ? 'over' : 'running';
  const fits = (cell: string, value: string): boolean => cell === '*' || cell === value;
  for (const [kind, liveness, itsBoot, itsTtl, state, why] of table) {
    if (kind !== standing || !fits(liveness, evidence.liveness)) continue;
    if (fits(itsBoot, boot) && fits(itsTtl, ttl)) return [state, why];
  }
  return ['held', 'liveness unknown']; // not in the table: not proved
}

function standingOf({ name, record: found }: Evidence, record: LeaseRecord | null): Standing {
  if (record !== null) return record.name === name ? record.kind : 'misnamed';
  return found === null || found.state === 'valid' ? 'absent' : found.state;
}

/** One that cannot be read is stale like a record without a holder; of a later version, in force. */
function freezeOf(evidence: Evidence, now: Now): ActiveFreeze | null {
  const { name, freeze: found, freezeSeenSinceMs } = evidence;
  if (found === null || found.state === 'corrupt') return null;
  if (found.state !== 'valid') return { freeze: null, ...endless };
  if (found.freeze.name !== name) return { freeze: null, ...endless };
  const left = timeLeft(found.freeze, 'boottimeMs', now, freezeSeenSinceMs);
  return left.leftMs !== null && left.leftMs <= 0 ? null : { freeze: found.freeze, ...left };
}

function ahead(
  state: State,
  leftMs: number | null,
  now: Now,
): Pick<Judgement, 'until' | 'lookAgainMs'> {
  // Up to whole milliseconds: a look that comes a fraction too early would be in vain.
  const whole = leftMs === null ? null : Math.ceil(leftMs);
  const until = whole === null ? null : Math.min(Math.max(0, now.wallMs + whole), lastMoment);
  const waits = state === 'held' || state === 'frozen';
  return {
    until,
    lookAgainMs: waits ? Math.max(1, Math.min(whole ?? longestLookMs, longestLookMs)) : null,
  };
}
