/** From a request for a lease to the lease, or to the reason why not. */
import { limited, timeUp } from './abort.js';
import { backoff } from './backoff.js';
import { pause } from './bell.js';
import { formatDuration } from './duration.js';
import { LockError, type LockErrorCode } from './errors.js';
import { acquireChannel, breakChannel, leaseEvent, type LeaseEvent } from './events.js';
import type { LeaseInfo } from './lease-info.js';
import { LeaseKeeper, type KeeperContext } from './lease-keeper.js';
import type { CheckedOptions } from './lease-options.js';
import { Lease } from './lease.js';
import { describeHolder } from './owner.js';
import type { Attempt, Grant, LeaseStore } from './store/store.js';

/** How long to look for the holder's name after a time-out. */
const nameWithinMs = 100;

/** Waits as the options say. */
export function acquireLease(
  context: KeeperContext,
  attempt: Attempt,
  options: CheckedOptions,
): Promise<Lease> {
  return traced(context, attempt, async (event) => {
    const { signal, timeout } = options;
    signal?.throwIfAborted();
    if (timeout === 0) {
      const outcome = await context.store.tryAcquire(attempt);
      if (!('denied' in outcome)) return begin(context, attempt, outcome, options);
      denial(event, outcome.denied);
      throw refusal(attempt, outcome.denied);
    }
    let last: LeaseInfo | undefined;
    const denied = (by: LeaseInfo): void => {
      last = by;
      denial(event, by);
    };
    const broke = (lease: LeaseInfo): void => {
      publishBreak(context.store, lease, attempt.by.owner);
    };
    try {
      const grant = await limited(timeout, signal, (stop) =>
        context.store.acquire(attempt, { signal: stop, denied, broke }),
      );
      return begin(context, attempt, grant, options);
    } catch (error) {
      if (error !== timeUp) throw error;
      if (last === undefined) {
        last = await nameHolder(context.store, attempt.name);
        if (last !== undefined) denial(event, last);
      }
      throw timedOut(attempt, timeout, last);
    }
  });
}

/** Tries as often as the options say, with pauses; null when it was in vain. */
export function tryAcquireLease(
  context: KeeperContext,
  attempt: Attempt,
  options: CheckedOptions,
): Promise<Lease | null> {
  return traced(context, attempt, async (event) => {
    const pauses = backoff(options.backoff);
    for (let tries = 0; ; tries++) {
      options.signal?.throwIfAborted();
      const outcome = await context.store.tryAcquire(attempt);
      if (!('denied' in outcome)) return begin(context, attempt, outcome, options);
      denial(event, outcome.denied);
      if (tries >= options.retries) return null;
      await pause(pauses.next().value, options.signal);
    }
  });
}

/** Runs `fn` and ends the lease; neither error hides the other. */
export async function useLease<T>(lease: Lease, fn: (lease: Lease) => T | Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await fn(lease);
  } catch (error) {
    try {
      await lease[Symbol.asyncDispose]();
    } catch (failure) {
      throw both(failure, error);
    }
    throw error;
  }
  await lease[Symbol.asyncDispose]();
  if (lease.signal.aborted) throw lease.signal.reason;
  return result;
}

/** As the `using` declaration has it, where the language does. */
function both(failure: unknown, error: unknown): Error {
  const { SuppressedError: Suppressed } = globalThis as {
    SuppressedError?: SuppressedErrorConstructor;
  };
  const message = 'the lease could not be released after an error';
  if (Suppressed !== undefined) return new Suppressed(failure, error, message);
  return new AggregateError([error, failure], message);
}

/** The lease of a grant, which it looks after from now on. */
function begin(
  context: KeeperContext,
  { by }: Attempt,
  grant: Grant,
  { renew }: Pick<CheckedOptions, 'renew'>,
): Lease {
  if (grant.broken !== null) publishBreak(context.store, grant.broken, by.owner);
  return new Lease(new LeaseKeeper(context, grant, renew));
}

/** Tells those who listen that a lease was taken away, and why. */
export function publishBreak(store: LeaseStore, broken: LeaseInfo, by: string): void {
  if (!breakChannel.hasSubscribers) return;
  const { holder, kind, state } = broken;
  const owner = holder?.owner ?? null;
  const detached = kind === null ? null : kind === 'detached';
  const event = leaseEvent(store, { ...broken, owner, detached }, by);
  if (state !== 'free' && state !== 'frozen') event.state = state;
  breakChannel.publish(event);
}

/** What an event says of a denial. */
type Denial = Pick<LeaseEvent, 'holder' | 'holderId' | 'holderToken' | 'frozen'>;

/** The last one counts: who waits may see several holders. */
function denial(event: Denial, { state, holder, id, token }: LeaseInfo): void {
  event.frozen = state === 'frozen';
  event.holder = event.frozen ? null : (holder?.owner ?? null);
  event.holderId = event.frozen ? null : id;
  event.holderToken = event.frozen ? null : token;
}

function traced<T>(
  { store }: KeeperContext,
  attempt: Attempt,
  run: (event: Denial) => Promise<T>,
): Promise<T> {
  if (!acquireChannel.hasSubscribers) return run({});
  const { owner } = attempt.by;
  const event = leaseEvent(store, { ...attempt, token: null, owner }, owner);
  return acquireChannel.tracePromise(() => run(event), event);
}

/** Whoever holds it, if that can be told at once. */
async function nameHolder(store: LeaseStore, name: string): Promise<LeaseInfo | undefined> {
  let info: LeaseInfo | undefined;
  const asked = store.inspect(name).then((found) => (info = found));
  await pause(nameWithinMs, undefined, asked);
  return info;
}

function refusal({ name }: Attempt, info: LeaseInfo): LockError {
  const code = info.state === 'frozen' ? 'ERR_LOCK_FROZEN' : 'ERR_LOCK_HELD';
  return refused(code, `${name} ${standing(info)}`, info);
}

function timedOut({ name }: Attempt, timeout: number, info: LeaseInfo | undefined): LockError {
  const why = info === undefined ? 'is busy' : standing(info);
  return refused('ERR_LOCK_TIMEOUT', `timed out after ${timeout} ms: ${name} ${why}`, info);
}

function refused(code: LockErrorCode, message: string, info: LeaseInfo | undefined): LockError {
  // Who is named by a record beneath a freeze is in nobody's way.
  const holder = info === undefined || info.state === 'frozen' ? null : info.holder;
  return new LockError(code, message, { holder });
}

function standing({ state, holder, leftMs, token, freeze, why }: LeaseInfo): string {
  const left = leftMs === null ? '' : `, ${formatDuration(leftMs)} left`;
  if (state === 'frozen') return `is frozen by ${freeze?.owner ?? 'a later version'}${left}`;
  if (holder === null) return `is held (${why})`;
  return `is held by ${describeHolder(holder)}${left}, token ${token ?? 'unknown'}`;
}
