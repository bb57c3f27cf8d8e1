/** A name as `inspect` and `list` show it: a verdict in words for people. Pure. */
import { systemClock } from './clock.js';
import type { Corruption } from './envelope.js';
import type { Judge } from './expiry.js';
import type { HolderInfo } from './owner.js';
import { recordHolder, type Json, type ParsedRecord } from './record.js';
import type { ActiveFreeze, Judgement, State, Why } from './staleness.js';

/** What is known of a name at one moment. */
export interface LeaseInfo {
  readonly name: string;
  /**
   * `held`; or takeable: `expired`, `dead` (its holder is), `corrupt` (unreadable, and nobody is
   * behind it), `free`; or `frozen`: not held, and nobody may take it.
   */
  readonly state: State;
  /** Why that is so, in two or three words. */
  readonly why: Why | Unknowable;
  /** Who holds it, or held it last; null when that cannot be read. */
  readonly holder: HolderInfo | null;
  readonly id: string | null;
  readonly token: bigint | null;
  /** Lives with its process, or outlives it. */
  readonly kind: 'attached' | 'detached' | null;
  /** Milliseconds; null: it has none. */
  readonly ttl: number | null;
  /** What is left of the TTL, or of the freeze if it is `frozen`; negative when it is over. */
  readonly leftMs: number | null;
  /** By which clock; `observed`: by having watched it for as long. */
  readonly judge: Judge | null;
  /** The same as a moment of the present wall clock. */
  readonly until: Date | null;
  /** What its holder added. */
  readonly meta: Json | undefined;
  /** The freeze in force. */
  readonly freeze: FreezeInfo | null;
  /** Why it cannot be read. */
  readonly corruption: Corruption | null;
}

/** Why nothing is known: no file stands there; its guard stays locked; the system refused. */
export type Unknowable = 'not a regular file' | 'guard busy' | 'unreadable file';

/** Nobody new is granted the lease. */
export interface FreezeInfo {
  /** Null when the freeze was written by a later version. */
  readonly owner: string | null;
  readonly since: Date | null;
  readonly leftMs: number | null;
}

/** A judgement for people. */
export function leaseInfo(name: string, judgement: Judgement): LeaseInfo {
  const { state, why, record, leftMs, judge, until, corruption, freeze } = judgement;
  return {
    name,
    state,
    why,
    holder: record && recordHolder(record),
    id: record?.id ?? null,
    token: record?.token ?? null,
    kind: record?.kind ?? null,
    ttl: record?.ttl ?? null,
    leftMs,
    judge,
    until: until === null ? null : new Date(until),
    meta: record?.meta,
    freeze: freeze && {
      owner: freeze.freeze?.owner ?? null,
      since: freeze.freeze && new Date(freeze.freeze.since),
      leftMs: freeze.leftMs,
    },
    corruption,
  };
}

/**
 * As a store has it that lets go by itself of what is over: what stands there is held. Undefined: there
 * is neither a record nor a freeze.
 */
export function leaseInfoOf(
  name: string,
  parsed: ParsedRecord | undefined,
  freeze: ActiveFreeze | undefined,
  leftMs = freeze?.leftMs ?? null,
): LeaseInfo | undefined {
  if (parsed === undefined && freeze === undefined) return undefined;
  const record = parsed?.state === 'valid' ? parsed.record : null;
  const known = record?.kind === 'detached' ? 'detached' : 'liveness unknown';
  const held = record === null ? 'unreadable' : known;
  return leaseInfo(record?.name ?? name, {
    state: parsed === undefined ? 'frozen' : 'held',
    why: parsed === undefined ? 'freeze' : held,
    record,
    leftMs,
    judge: 'store',
    until: leftMs === null ? null : systemClock.now() + leftMs,
    corruption: parsed?.state === 'corrupt' ? parsed.reason : null,
    freeze: freeze ?? null,
    beneath: parsed === undefined ? 'free' : 'held',
    lookAgainMs: null,
  });
}

/** Somebody may hold it, nobody can tell. */
export function unknowable(name: string, why: Unknowable): LeaseInfo {
  return {
    name,
    state: 'held',
    why,
    holder: null,
    id: null,
    token: null,
    kind: null,
    ttl: null,
    leftMs: null,
    judge: null,
    until: null,
    meta: undefined,
    freeze: null,
    corruption: null,
  };
}
