/** The options of leases, and their checks. Misuse is a TypeError or a RangeError. */
import type { BackoffOptions } from './backoff.js';
import type { Clock } from './clock.js';
import { duration } from './duration.js';
import { checkName } from './names.js';
import { checkMode, checkNetwork, checkTimeout, wrongType } from './options.js';
import { longestName, maxMetaSize, type Json } from './record.js';
import type { LeaseStore } from './store/store.js';

/** Milliseconds, or a string such as `'250ms'`, `'30s'`, `'1.5m'`. */
export type Duration = number | string;

/** How to take a lease. */
export interface TryAcquireOptions {
  /**
   * How long it lasts if it is not renewed. Omitted: until it is released or its process dies (only
   * if it is attached).
   */
  ttl?: Duration;
  /** It outlives its process; only its TTL or somebody's release ends it. Needs a `ttl`. */
  detached?: boolean;
  /** `false`: do not renew by itself. A detached lease never does. Default: at a third of the TTL. */
  renew?: boolean;
  /** On the medium before it is granted. Default: only if detached. */
  durable?: boolean;
  /** Who holds it, for people. Default: that of the `Leases`. */
  owner?: string;
  /** Anything that JSON can say, at most 4 KiB of it, for people and programs that look. */
  meta?: Json;
  /** Cancels the wait; the promise rejects with `signal.reason`. No effect once granted. */
  signal?: AbortSignal;
  /** How often `tryAcquire` tries again, with pauses. Default 0. */
  retries?: number;
  /** The pauses. Default: 10 ms, then twice as long each time. */
  backoff?: BackoffOptions;
}

/** How to take a lease, and how long to wait for it. */
export interface AcquireOptions extends Omit<TryAcquireOptions, 'retries' | 'backoff'> {
  /**
   * Milliseconds to wait, in all. Omitted or `Infinity`: no limit. `0`: one attempt, then
   * `ERR_LOCK_HELD` or `ERR_LOCK_FROZEN`. After waiting: `ERR_LOCK_TIMEOUT`.
   */
  timeout?: number;
}

/** Where leases are, and who takes them. */
export interface LeasesOptions {
  /**
   * The folder. Default: `HOLDFAST_ROOT`, else `holdfast/` in git's common directory, else the nearest
   * `.holdfast/` upwards. It is made when it is needed.
   */
  dir?: string;
  /** Another place than files. */
  store?: LeaseStore;
  /** Who holds the leases, for people. Default `user@host`. */
  owner?: string;
  /** Decides every TTL, for tests. All that use the folder have to use it. Timers stay real. */
  clock?: Clock;
  /** Permission bits of files that are created. Default `0o600`. */
  fileMode?: number;
  /** `'allow'`: work on a network filesystem, at your own risk. Default `'refuse'`. */
  network?: 'allow' | 'refuse';
}

/** Whose lease to take away: one that is stale, whoever's, or the one with this token. */
export interface BreakOptions {
  /** Only one whose holder is dead, whose TTL is over, or that nobody can read. */
  stale?: boolean;
  /** Whoever's, alive or not. */
  force?: boolean;
  /** Only this one: alone, by force; with `stale`, only if it is. */
  token?: bigint | string;
}

/** The options with their defaults, checked. */
export interface CheckedOptions {
  readonly ttl: number | null;
  readonly detached: boolean;
  readonly renew: boolean;
  readonly durable: boolean;
  readonly owner: string | undefined;
  readonly meta: { readonly meta?: Json };
  readonly signal: AbortSignal | undefined;
  readonly timeout: number;
  readonly retries: number;
  readonly backoff: BackoffOptions | undefined;
}

/** @throws {TypeError | RangeError} and names the option */
export function checkLeaseOptions(options: unknown = {}): CheckedOptions {
  if (typeof options !== 'object' || options === null) throw wrongType('options', 'an object');
  const given = options as Record<string, unknown>;
  const { ttl, detached, renew, durable, owner, meta, signal, timeout, retries } = given;
  flag('detached', detached);
  flag('renew', renew);
  flag('durable', durable);
  if (owner !== undefined) checkOwner(owner);
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw wrongType('signal', 'an AbortSignal');
  }
  if (detached === true && ttl === undefined) {
    throw new TypeError('a detached lease needs a ttl: nothing else ends it');
  }
  return {
    ttl: ttl === undefined ? null : duration(ttl),
    detached: detached === true,
    renew: renew !== false,
    durable: durable === true,
    owner,
    meta: meta === undefined ? {} : { meta: checkMeta(meta) },
    signal,
    timeout: timeout === undefined ? Infinity : checkTimeout(timeout),
    retries: retries === undefined ? 0 : checkRetries(retries),
    backoff: given['backoff'] as BackoffOptions | undefined,
  };
}

/** @throws {TypeError | RangeError} and names the option */
export function checkLeasesOptions(options: unknown): void {
  if (typeof options !== 'object' || options === null) throw wrongType('options', 'an object');
  const { dir, store, owner, clock, fileMode, network } = options as Record<string, unknown>;
  if (dir !== undefined && (typeof dir !== 'string' || dir === '')) {
    throw wrongType('dir', 'a non-empty string');
  }
  if (store !== undefined && (typeof store !== 'object' || store === null)) {
    throw wrongType('store', 'a LeaseStore');
  }
  if (store !== undefined && (dir ?? clock ?? fileMode ?? network) !== undefined) {
    throw new TypeError('dir, clock, fileMode and network belong to files; a store has its own');
  }
  if (owner !== undefined) checkOwner(owner);
  if (clock !== undefined) checkClock(clock);
  if (fileMode !== undefined) checkMode(fileMode);
  checkNetwork(network);
}

/** @throws {TypeError} none, or both, of by force and only if stale */
export function checkBreak(options: unknown): { stale: boolean; token?: bigint } {
  if (typeof options !== 'object' || options === null) throw wrongType('options', 'an object');
  const { stale, force, token } = options as Record<string, unknown>;
  flag('stale', stale);
  flag('force', force);
  if (stale === true && force === true) throw new TypeError('stale and force exclude each other');
  if (stale !== true && force !== true && token === undefined) {
    throw new TypeError('say whose lease to break: stale: true, force: true, or its token');
  }
  return { stale: stale === true, ...(token === undefined ? {} : { token: checkToken(token) }) };
}

/** @throws {TypeError | RangeError} not a name that a lease can have */
export function checkLeaseName(name: unknown): asserts name is string {
  checkName(name);
  if (name.length > longestName) {
    throw new RangeError(`the name must have at most ${longestName} characters`);
  }
}

/** @throws {TypeError} not the id of a lease */
export function checkId(id: unknown): string {
  if (typeof id === 'string' && /^[0-9a-f]{32}$/.test(id)) return id;
  throw wrongType('id', '32 hexadecimal digits');
}

/** @throws {TypeError | RangeError} not a name that a record could carry */
function checkOwner(owner: unknown): asserts owner is string {
  if (typeof owner !== 'string' || owner === '') throw wrongType('owner', 'a non-empty string');
  if (owner.length > 1024) throw new RangeError('owner must have at most 1024 characters');
}

/** The token of a lease, from the API or from its text. */
export function checkToken(token: unknown): bigint {
  if (typeof token === 'bigint' && token >= 0n) return token;
  if (typeof token === 'string' && /^\d{1,20}$/.test(token)) return BigInt(token);
  throw wrongType('token', 'a bigint, or its decimal digits');
}

function checkClock(clock: unknown): void {
  const { now } = (typeof clock === 'object' && clock !== null ? clock : {}) as Partial<Clock>;
  if (typeof now !== 'function') throw wrongType('clock', 'an object with now()');
}

function checkRetries(retries: unknown): number {
  if (typeof retries !== 'number') throw wrongType('retries', 'a number');
  if (retries === Infinity || (Number.isInteger(retries) && retries >= 0)) return retries;
  throw new RangeError(`retries must be a whole number from 0, or Infinity, not ${retries}`);
}

function checkMeta(meta: unknown): Json {
  const text = JSON.stringify(meta) as string | undefined; // throws for a cycle or a bigint
  if (text === undefined) throw wrongType('meta', 'something that JSON can say');
  if (Buffer.byteLength(text) > maxMetaSize) {
    throw new RangeError(`meta must be at most ${maxMetaSize} bytes of JSON`);
  }
  // What the record will say, not what the caller may change meanwhile.
  return JSON.parse(text) as Json;
}

function flag(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean') throw wrongType(name, 'a boolean');
}
