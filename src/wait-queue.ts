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
 * can meet: if the thread already has the lock when the limit is noticed, the lock is taken, for
 * nobody had given up yet; if an abort comes then, the lock is given back.
 *
 * The next waiter begins when all that give up in the same moment have done so. One after the other
 * they would each start a thread, and one of them might be granted the lock although its own signal
 * was aborted.
 */
import { maxDelay, onAbort } from './abort.js';
import {
  isSettled,
  remedy,
  signature,
  timeoutError,
  tryNow,
  type Grant,
  type LockTarget,
} from './attempt.js';
import { KernelWait } from './kernel-wait.js';
import { addon, failureError, Flag, isFailure, Outcome, returnHandle } from './native.js';

class Waiting {
  /** Set while this one is the head and waits in the kernel. */
  thread: KernelWait | undefined;
  timer: NodeJS.Timeout | undefined;
  unlisten: (() => void) | undefined;

  constructor(
    readonly queue: Queue,
    readonly target: LockTarget,
    readonly deadline: number,
    readonly timeoutMs: number,
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
  const file = addon.identify(target.lockPath, !target.sidecar);
  return typeof file === 'string' ? file : target.lockPath;
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
    const waiting = new Waiting(queue, target, deadline, timeoutMs, resolve, reject);
    queue.waits.add(waiting);
    if (timeoutMs !== Infinity) arm(waiting);
    if (signal !== undefined) {
      waiting.unlisten = onAbort(signal, (reason) => {
        giveUp(waiting, reason);
      });
    }
    if (queue.waits.size === 1) serve(queue);
  });
}

/** Lets the head of the queue try, and whoever comes after it, until one has to wait. */
function serve(queue: Queue): void {
  for (const head of queue.waits) {
    if (head.thread !== undefined) return;
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

const unserved = new Set<Queue>();

function serveSoon(queue: Queue): void {
  if (unserved.size === 0) {
    setImmediate(() => {
      const queues = [...unserved];
      unserved.clear();
      queues.forEach(serve);
    });
  }
  unserved.add(queue);
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

/** The thread has a result, unless that was fetched before or nobody wants it any more. */
function finished(head: Waiting, thread: KernelWait): void {
  if (!thread.expected) return;
  const { handle, outcome } = thread.collect();
  head.thread = undefined;
  if (outcome === Outcome.granted || outcome === Outcome.recovered) {
    leave(head);
    head.resolve({ handle, outcome });
  } else {
    try {
      if (!isSettled(outcome)) remedy(head.target, outcome, handle, 0);
      // It goes on waiting; its limit may have been noticed just now.
      if (head.deadline !== Infinity) {
        clearTimeout(head.timer);
        arm(head);
      }
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
  waiting.unlisten?.();
}

/** Rejects a waiter now; its thread finds its own way out. */
function giveUp(waiting: Waiting, reason: unknown): void {
  const { thread } = waiting;
  leave(waiting);
  waiting.thread = undefined;
  thread?.giveUp();
  waiting.reject(reason);
  if (thread !== undefined) serveSoon(waiting.queue);
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
  // A busy event loop comes here late; what the kernel granted meanwhile is taken.
  if (waiting.thread?.hasResult()) finished(waiting, waiting.thread);
  else giveUp(waiting, timeoutError(waiting.target, waiting.timeoutMs));
}
