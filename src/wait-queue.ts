/**
 * Who waits for which file, within this thread: first come, first served, and only the head of
 * each queue waits in the kernel.
 *
 * A queue belongs to the file itself, by whatever path it was named. So there is one thread for a
 * file, not for each waiter, and a shared waiter that comes later does not overtake an exclusive
 * one, which the kernel would allow. When the head is granted the next one takes its place at once,
 * in the kernel's queue too, so it keeps its turn among other processes. Shared waiters that stand
 * one behind the other are let in together that way.
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
  failureError,
  Flag,
  isFailure,
  KernelWait,
  Outcome,
  returnHandle,
} from './native.js';

/** The longest delay setTimeout takes; a longer one would fire at once. */
const maxDelay = 2 ** 31 - 1;

class Waiting {
  /** Set while this one is the head and waits in the kernel. */
  thread: KernelWait | undefined;
  timer: NodeJS.Timeout | undefined;

  constructor(
    readonly queue: Queue,
    readonly target: LockTarget,
    readonly deadline: number,
    readonly timeoutMs: number,
    readonly signal: AbortSignal | undefined,
    readonly resolve: (grant: Grant) => void,
    readonly reject: (reason: unknown) => void,
  ) {}
}

interface Queue {
  /** What the file is to the system; a file that takes its place has a queue of its own. */
  readonly file: string;
  /** In order of arrival; the first is the head. */
  readonly waits: Set<Waiting>;
}

const queues = new Map<string, Queue>();

function queueOf(target: LockTarget): Queue | undefined {
  return queues.size === 0 ? undefined : queues.get(fileOf(target));
}

function fileOf(target: LockTarget): string {
  return addon.identify(target.lockPath, !target.sidecar) ?? target.lockPath;
}

/** Is anybody of this thread waiting for the file? */
export function isAwaited(target: LockTarget): boolean {
  return queueOf(target) !== undefined;
}

/** Would a blocking wait of this thread stand behind one of its own, which then could never move? */
export function awaitsOtherwise(target: LockTarget): boolean {
  const queue = queueOf(target);
  return queue !== undefined && !(target.shared && [...queue.waits].every((w) => w.target.shared));
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
    const file = fileOf(target);
    const queue = queues.get(file) ?? { file, waits: new Set() };
    queues.set(file, queue);
    const deadline = since + timeoutMs;
    const waiting = new Waiting(queue, target, deadline, timeoutMs, signal, resolve, reject);
    queue.waits.add(waiting);
    if (timeoutMs !== Infinity) arm(waiting);
    if (signal !== undefined) listen(signal, waiting);
    if (queue.waits.size === 1) serve(queue);
  });
}

/** Lets the head of the queue try, and whoever comes after it, until one has to wait. */
function serve(queue: Queue): void {
  for (const head of queue.waits) {
    try {
      const grant = tryNow(head.target, false);
      if (grant === undefined) {
        startThread(head);
        return;
      }
      leave(head);
      head.resolve(grant);
    } catch (error) {
      leave(head);
      head.reject(error);
    }
  }
}

function startThread(head: Waiting): void {
  const { lockPath, flags, mode } = head.target;
  // The attempt before has vouched for the volume; the thread cannot ask again.
  const verdict = (flags & Flag.network) !== 0 ? Flag.network : Flag.local;
  const text = signature(head.target);
  const thread = KernelWait.start(lockPath, flags | verdict, mode, text, () => {
    finished(head, thread as KernelWait);
  });
  if (isFailure(thread)) throw failureError(thread, lockPath);
  head.thread = thread;
}

/** The thread has a result: of a head that still wants it, or of one that has gone. */
function finished(head: Waiting, thread: KernelWait): void {
  const { handle, outcome } = thread.collect();
  if (head.thread !== thread) {
    // Granted just before its waiter left, and on its way here since.
    addon.release(handle);
    returnHandle(handle);
    return;
  }
  head.thread = undefined;
  if (outcome === Outcome.granted || outcome === Outcome.recovered) {
    leave(head);
    head.resolve({ handle, outcome });
  } else {
    try {
      if (!isSettled(outcome)) remedy(head.target, outcome, handle, 0);
    } catch (error) {
      leave(head);
      head.reject(error);
    }
    returnHandle(handle);
  }
  serve(head.queue);
}

/** Takes a waiter out of the queue, with its timer and its ear on the signal. */
function leave(waiting: Waiting): void {
  const { queue } = waiting;
  queue.waits.delete(waiting);
  if (queue.waits.size === 0) queues.delete(queue.file);
  clearTimeout(waiting.timer);
  if (waiting.signal !== undefined) unlisten(waiting.signal, waiting);
}

/** Rejects a waiter now; its thread finds its own way out. */
function giveUp(waiting: Waiting, reason: unknown): void {
  const { thread } = waiting;
  leave(waiting);
  waiting.thread = undefined;
  thread?.cancelUntilGone();
  waiting.reject(reason);
  if (thread !== undefined) serve(waiting.queue);
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
  if (waiting.thread?.cancel() === false) {
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
