/**
 * Who waits for which file, within this thread: first come, first served, and only the head of
 * each queue waits in the kernel.
 *
 * One thread per file, not per waiter; and a shared waiter that comes later does not overtake an
 * exclusive one, which the kernel would allow. When the head is granted the next one takes its
 * place at once, in the kernel's queue too, so it keeps its turn among other processes. Shared
 * waiters that stand one behind the other are let in together that way.
 *
 * A wait ends in one of three ways. Granted: the head's thread came back with the lock. Expired or
 * aborted: the promise is rejected at once, the thread is told to leave, and the next waiter begins
 * its own; a grant that the leaving thread still receives is given back inside the addon. The two
 * can meet: if the thread already has the lock when the limit runs out, the lock is taken, for it
 * was granted in time; if an abort comes then, the lock is given back.
 */
import {
  isSettled,
  remedy,
  signature,
  timeoutError,
  tryNow,
  type Grant,
  type LockTarget,
} from './attempt.js';
import {
  addon,
  cancelUntilGone,
  failureError,
  Flag,
  isFailure,
  Outcome,
  returnHandle,
  takeHandle,
  type Waiter,
} from './native.js';

/** The longest delay setTimeout takes; a longer one would fire at once. */
const maxDelay = 2 ** 31 - 1;

class Waiting {
  /** Set while this one is the head and waits in the kernel. */
  thread: Waiter | undefined;
  timer: NodeJS.Timeout | undefined;

  constructor(
    readonly target: LockTarget,
    readonly deadline: number,
    readonly timeoutMs: number,
    readonly signal: AbortSignal | undefined,
    readonly resolve: (grant: Grant) => void,
    readonly reject: (reason: unknown) => void,
  ) {}
}

/** In order of arrival; the first is the head. */
type Queue = Set<Waiting>;
const queues = new Map<string, Queue>();

/** Is anybody of this thread waiting for the file? */
export function isAwaited(lockPath: string): boolean {
  return queues.has(lockPath);
}

/** Would a blocking wait of this thread stand behind one of its own, which then could never move? */
export function awaitsOtherwise(target: LockTarget): boolean {
  const queue = queues.get(target.lockPath);
  return queue !== undefined && !(target.shared && [...queue].every((w) => w.target.shared));
}

/**
 * Waits until the lock is granted. `since` is when the caller began (performance.now()), for the
 * limit counts from there.
 *
 * @throws {LockError} `ERR_LOCK_TIMEOUT`, or whatever keeps the file from being locked
 */
export function waitFor(
  target: LockTarget,
  timeoutMs: number,
  since: number,
  signal: AbortSignal | undefined,
): Promise<Grant> {
  return new Promise((resolve, reject) => {
    const waiting = new Waiting(target, since + timeoutMs, timeoutMs, signal, resolve, reject);
    let queue = queues.get(target.lockPath);
    if (queue === undefined) queues.set(target.lockPath, (queue = new Set()));
    queue.add(waiting);
    if (timeoutMs !== Infinity) arm(waiting);
    if (signal !== undefined) listen(signal, waiting);
    if (queue.size === 1) serve(target.lockPath, queue);
  });
}

/** Lets the head of the queue try, and whoever comes after it, until one has to wait. */
function serve(lockPath: string, queue: Queue): void {
  for (const head of queue) {
    try {
      const grant = tryNow(head.target, false);
      if (grant === undefined) {
        startThread(head, lockPath, queue);
        return;
      }
      leave(head, lockPath, queue);
      head.resolve(grant);
    } catch (error) {
      leave(head, lockPath, queue);
      head.reject(error);
    }
  }
}

function startThread(head: Waiting, lockPath: string, queue: Queue): void {
  const { target } = head;
  // The attempt before has vouched for the volume; the thread cannot ask again.
  const verdict = (target.flags & Flag.network) !== 0 ? Flag.network : Flag.local;
  const thread = addon.startWait(
    lockPath,
    target.flags | verdict,
    target.mode,
    signature(target),
    () => {
      finished(head, thread as Waiter, lockPath, queue);
    },
  );
  if (isFailure(thread)) throw failureError(thread, lockPath);
  head.thread = thread;
}

/** The thread has a result: of a head that still wants it, or of one that has gone. */
function finished(head: Waiting, thread: Waiter, lockPath: string, queue: Queue): void {
  const handle = takeHandle();
  const outcome = addon.collect(thread, handle);
  if (head.thread !== thread) {
    // Granted just before its waiter left, and on its way here since.
    addon.release(handle);
    returnHandle(handle);
    return;
  }
  head.thread = undefined;
  if (outcome === Outcome.granted || outcome === Outcome.recovered) {
    leave(head, lockPath, queue);
    head.resolve({ handle, outcome });
  } else {
    try {
      if (!isSettled(outcome)) remedy(head.target, outcome, handle, 0);
    } catch (error) {
      leave(head, lockPath, queue);
      head.reject(error);
    }
    returnHandle(handle);
  }
  serve(lockPath, queue);
}

/** Takes a waiter out of the queue, with its timer and its ear on the signal. */
function leave(waiting: Waiting, lockPath: string, queue: Queue): void {
  queue.delete(waiting);
  if (queue.size === 0 && queues.get(lockPath) === queue) queues.delete(lockPath);
  clearTimeout(waiting.timer);
  if (waiting.signal !== undefined) unlisten(waiting.signal, waiting);
}

/** Rejects a waiter now; its thread finds its own way out. */
function giveUp(waiting: Waiting, reason: unknown): void {
  const { lockPath } = waiting.target;
  const queue = queues.get(lockPath);
  if (queue === undefined) return;
  const wasHead = waiting.thread !== undefined;
  leave(waiting, lockPath, queue);
  if (waiting.thread !== undefined) {
    const thread = waiting.thread;
    waiting.thread = undefined;
    cancelUntilGone(thread);
  }
  waiting.reject(reason);
  if (wasHead) serve(lockPath, queue);
}

function arm(waiting: Waiting): void {
  // Rounded up: a timer that fires a fraction of a millisecond early would break the limit.
  const left = Math.ceil(waiting.deadline - performance.now());
  waiting.timer = setTimeout(expire, Math.min(Math.max(left, 0), maxDelay), waiting);
}

function expire(waiting: Waiting): void {
  if (performance.now() < waiting.deadline) {
    arm(waiting);
    return;
  }
  // A busy event loop comes here late. What the kernel granted meanwhile was granted in time; it
  // is on its way, so look again when it has had its turn.
  if (waiting.thread !== undefined && addon.cancelWait(waiting.thread)) {
    waiting.timer = setTimeout(expire, 1, waiting);
    return;
  }
  giveUp(waiting, timeoutError(waiting.target, waiting.timeoutMs));
}

/** One listener for each signal, however many waits it serves. */
const listeners = new WeakMap<AbortSignal, { waits: Set<Waiting>; onAbort: () => void }>();

function listen(signal: AbortSignal, waiting: Waiting): void {
  let entry = listeners.get(signal);
  if (entry === undefined) {
    const waits = new Set<Waiting>();
    const onAbort = (): void => {
      for (const each of waits) giveUp(each, signal.reason);
    };
    entry = { waits, onAbort };
    listeners.set(signal, entry);
    signal.addEventListener('abort', onAbort);
  }
  entry.waits.add(waiting);
}

function unlisten(signal: AbortSignal, waiting: Waiting): void {
  const entry = listeners.get(signal);
  if (entry === undefined) return;
  entry.waits.delete(waiting);
  if (entry.waits.size > 0) return;
  listeners.delete(signal);
  signal.removeEventListener('abort', entry.onAbort);
}
