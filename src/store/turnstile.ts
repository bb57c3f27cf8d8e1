/**
 * The turnstile of a name: where those who wait for a lease stand in line, one behind the other.
 *
 * It is the kernel's queue on the permanent file `NAME.queue`: first come, first served, and who dies
 * or gives up falls out by itself. Whoever is through watches the record alone, so a release wakes one
 * waiter and not all of them.
 *
 * It is a courtesy, never a condition. Somebody may be stopped (SIGSTOP) in the turnstile and would
 * keep the others from a lease that is free. So who waits looks at the lease itself every second or
 * two, and when it could be taken at two looks, takes it without having been through. Of one process
 * only the first in line looks.
 */
import { onAbort } from '../abort.js';
import { isAwaited, waitFor } from '../wait-queue.js';
import { tryNow, type Grant as Turn, type LockTarget } from '../attempt.js';
import { Bell } from '../bell.js';
import { addon, dropHandle, Flag } from '../native.js';
import type { LeaseFiles } from '../transaction.js';

/** Who looks too often wakes for nothing; who never looks may stand there for ever. */
const lookEveryMs = 1000;

const lines = new Map<string, Set<object>>();

/** The turnstile of these files. */
export function turnstile({ base, mode, allowNetwork }: LeaseFiles): LockTarget {
  const lockPath = `${base}.queue`;
  const flags = Flag.sidecar | Flag.plain;
  return {
    resource: base,
    lockPath,
    shared: false,
    sidecar: true,
    flags,
    mode,
    owner: undefined,
    allowNetwork,
  };
}

/** Has anybody ever stood in line here? If that cannot be told: perhaps. */
export function exists(target: LockTarget): boolean {
  return addon.identify(target.lockPath, false) !== undefined;
}

/** Goes through if nobody is in line. */
export function passNow(target: LockTarget): Turn | undefined {
  return isAwaited(target) ? undefined : tryNow(target, false);
}

/** Lets the next one through. */
export function leave(turn: Turn): void {
  dropHandle(turn.handle);
}

/**
 * Waits to get through; or for what `rescue` takes past a turnstile that does not move.
 *
 * @throws `signal.reason`
 */
export async function pass<T>(
  target: LockTarget,
  signal: AbortSignal,
  rescue: () => Promise<T | undefined>,
): Promise<{ turn: Turn } | { rescued: T }> {
  signal.throwIfAborted(); // what is aborted already tells nobody
  const bell = new Bell();
  const out = new AbortController();
  const unlisten = onAbort(signal, (reason) => {
    out.abort(reason);
  });
  const place = enterLine(target.lockPath);
  const arrived: { turn?: Turn | undefined; failure?: { reason: unknown } } = {};
  let over = false;
  waitFor(target, Infinity, 0, out.signal).then(
    (turn) => {
      if (over) leave(turn);
      else arrived.turn = turn;
      bell.ring();
    },
    (reason: unknown) => {
      arrived.failure = { reason };
      bell.ring();
    },
  );
  try {
    for (;;) {
      await bell.wait(lookEveryMs * (1 + Math.random()));
      const { turn, failure } = arrived;
      arrived.turn = undefined;
      if (turn !== undefined) return { turn };
      if (failure !== undefined) throw failure.reason;
      if (!place.isFirst()) continue;
      const rescued = await rescue();
      if (rescued !== undefined) return { rescued };
    }
  } finally {
    over = true;
    place.leave();
    unlisten();
    if (arrived.turn !== undefined) leave(arrived.turn);
    else out.abort();
  }
}

function enterLine(path: string): { isFirst(): boolean; leave(): void } {
  const line = lines.get(path) ?? new Set();
  lines.set(path, line);
  const me = {};
  line.add(me);
  return {
    isFirst: () => line.values().next().value === me,
    leave() {
      line.delete(me);
      if (line.size === 0) lines.delete(path);
    },
  };
}
