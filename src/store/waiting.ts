/**
 * Waiting for a lease, from the end of the line to the grant.
 *
 * 1. Straight to the record, while nobody is in line.
 * 2. Through the turnstile (turnstile.ts), first come, first served.
 * 3. As the head of the line: judge, try, sleep until something changes (vigil.ts).
 *
 * A guard that stays locked means held: the wait goes on.
 */
import { onAbort } from '../abort.js';
import { Bell } from '../bell.js';
import { LockError } from '../errors.js';
import { takeable } from '../staleness.js';
import { FileGrant } from './file-grant.js';
import type { Place, View } from './place.js';
import type { Attempt, Waiting } from './store.js';
import { exists, leave, pass, passNow, turnstile } from './turnstile.js';
import { Vigil } from './vigil.js';

/** A {@link Waiting} with its signal. */
type Wait = Pick<Waiting, 'denied'> & { readonly signal: AbortSignal };

/** A lease that can be taken is the head's, if that one moves; which looks once a second at least (ADR 15). */
const rescueDelayMs = 1200;

/** @throws `signal.reason`; whatever keeps the lease from being judged */
export async function waitForGrant(
  place: Place,
  attempt: Attempt,
  waiting: Wait,
): Promise<FileGrant> {
  const { signal } = waiting;
  const gate = turnstile(place.files);
  if (!exists(gate)) {
    const grant = await tryOnce(place, attempt, waiting);
    if (grant !== undefined) return grant;
  }
  let turn = passNow(gate);
  if (turn === undefined) {
    const passed = await pass(gate, signal, () => rescue(place, attempt, waiting));
    if ('rescued' in passed) return passed.rescued;
    turn = passed.turn;
  }
  try {
    return await watch(place, attempt, waiting);
  } finally {
    leave(turn);
  }
}

/** Undefined: it is held, or cannot be judged now. */
async function tryOnce(
  place: Place,
  attempt: Attempt,
  { signal, denied }: Wait,
): Promise<FileGrant | undefined> {
  const outcome = await unlessBusy(place.attempt(attempt, { signal }), signal);
  if (outcome === undefined || outcome instanceof FileGrant) return outcome;
  denied?.(place.info(outcome));
  return undefined;
}

/** As the head of the line. */
async function watch(place: Place, attempt: Attempt, waiting: Wait): Promise<FileGrant> {
  const { signal, denied } = waiting;
  const bell = new Bell();
  const vigil = new Vigil(place, bell);
  const unlisten = onAbort(signal, bell.ring);
  let seen: View | undefined;
  try {
    for (;;) {
      signal.throwIfAborted();
      const left = seen && vigil.leftBehind(seen);
      const outcome = await unlessBusy(place.attempt(attempt, { signal }, left), signal);
      if (outcome instanceof FileGrant) return outcome;
      seen = outcome;
      if (outcome === undefined) continue; // it has waited, for the guard
      denied?.(place.info(outcome));
      await unlessBusy(vigil.sleep(outcome, signal), signal);
    }
  } finally {
    unlisten();
    vigil.end();
  }
}

/** For one that is not the head: the lease, if nobody takes it although it can be taken. */
async function rescue(
  place: Place,
  attempt: Attempt,
  waiting: Wait,
): Promise<FileGrant | undefined> {
  const { signal } = waiting;
  if (place.heldForGood() !== undefined || !(await canBeTaken(place, signal))) return undefined;
  const bell = new Bell();
  const unlisten = onAbort(signal, bell.ring);
  await bell.wait(rescueDelayMs);
  unlisten();
  if (!(await canBeTaken(place, signal))) return undefined;
  return tryOnce(place, attempt, waiting);
}

async function canBeTaken(place: Place, signal: AbortSignal): Promise<boolean> {
  const view = await unlessBusy(place.look(undefined, { signal }), signal);
  return view !== undefined && takeable(view.judgement.state);
}

/** A busy guard says nothing about the lease; an aborted wait leaves it busy, too. */
async function unlessBusy<T>(outcome: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  try {
    return await outcome;
  } catch (error) {
    if (!(error instanceof LockError) || error.code !== 'ERR_LOCK_BUSY') throw error;
    signal.throwIfAborted();
    return undefined;
  }
}
