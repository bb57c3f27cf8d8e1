/**
 * Listening to an AbortSignal, by many at once, with one listener: a signal that serves a program for
 * its whole life is no leak to Node however many waits it ends.
 */
interface Ears {
  readonly calls: Set<(reason: unknown) => void>;
  readonly listener: () => void;
}

const heard = new WeakMap<AbortSignal, Ears>();

/**
 * Calls back with the signal's reason when it is aborted; not if it was before. The result takes the
 * ear off again; to call it twice, or after the abort, does nothing.
 */
export function onAbort(signal: AbortSignal, callback: (reason: unknown) => void): () => void {
  const ears = heard.get(signal) ?? listen(signal);
  // A wrapper of its own: the same function may be given twice.
  const call = (reason: unknown): void => {
    callback(reason);
  };
  ears.calls.add(call);
  return () => {
    if (!ears.calls.delete(call) || ears.calls.size > 0) return;
    signal.removeEventListener('abort', ears.listener);
    if (heard.get(signal) === ears) heard.delete(signal);
  };
}

function listen(signal: AbortSignal): Ears {
  const calls = new Set<(reason: unknown) => void>();
  const listener = (): void => {
    for (const call of calls) call(signal.reason);
  };
  const ears = { calls, listener };
  heard.set(signal, ears);
  signal.addEventListener('abort', listener);
  return ears;
}

/** Why {@link limited} ended what it ran. */
export const timeUp = Symbol('time is up');

/**
 * Of what nobody ends. One for all, and for {@link onAbort} alone, which takes its listener off again: to make
 * one for each costs more than a lock.
 */
export const never: AbortSignal = new AbortController().signal;

/** The longest delay setTimeout takes; a longer one would fire at once. */
export const maxDelay = 2 ** 31 - 1;

/**
 * Runs something with a signal that is aborted with {@link timeUp} after `ms`, never before, or with
 * the reason of `outer`; with none if there is neither.
 */
export async function limited<T>(
  ms: number,
  outer: AbortSignal | undefined,
  run: (signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  if (ms === Infinity && outer === undefined) return run(undefined);
  const stop = new AbortController();
  const deadline = performance.now() + ms;
  let timer: NodeJS.Timeout | undefined;
  const arm = (): void => {
    // Rounded up: a timer may fire a fraction of a millisecond early.
    const left = Math.ceil(deadline - performance.now());
    if (left <= 0) stop.abort(timeUp);
    else timer = setTimeout(arm, Math.min(left, maxDelay));
  };
  if (ms !== Infinity) arm();
  const unlisten =
    outer &&
    onAbort(outer, (reason) => {
      stop.abort(reason);
    });
  try {
    return await run(stop.signal);
  } finally {
    clearTimeout(timer);
    unlisten?.();
  }
}
