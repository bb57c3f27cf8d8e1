/**
 * One attempt on one file: what is asked of the addon, and what its answers mean.
 *
 * The addon judges nothing. It answers "unjudged" when a filesystem has not been vouched for, and
 * "no such file" when a sidecar's folder is missing; both are settled here, then asked again.
 */
import { LockError } from './errors.js';
import { judge, makeFolder } from './folder.js';
import {
  addon,
  failureError,
  Flag,
  Outcome,
  returnHandle,
  takeHandle,
  type Handle,
} from './native.js';
import { absolute, resourceFile, sidecarFile } from './lock-path.js';
import type { LockOptions } from './options.js';
import {
  defaultOwner,
  describeHolder,
  describeProcess,
  holderText,
  parseHolder,
  type HolderInfo,
  type ProcessInfo,
} from './owner.js';

const maxRemedies = 10;

/** What is to be locked, and how; made once for a call, whatever it takes to get there. */
export interface LockTarget {
  /** The resource, absolute; where it is a link, what it points to. */
  readonly resource: string;
  /** The file that is locked. */
  readonly lockPath: string;
  readonly shared: boolean;
  readonly sidecar: boolean;
  /** Bits of `Flag`; verdicts on the filesystem are added as they are found. */
  flags: number;
  readonly mode: number;
  readonly owner: string | undefined;
  readonly allowNetwork: boolean;
}

export function targetOf(resource: string | URL, options: LockOptions): LockTarget {
  const shared = options.shared === true;
  const sidecar = options.sidecar !== false;
  // Without a sidecar the kernel follows the resource's links itself.
  const file = sidecar ? resourceFile(resource) : absolute(resource);
  return {
    resource: file,
    lockPath: sidecar ? sidecarFile(file, options) : file,
    shared,
    sidecar,
    flags: (shared ? Flag.shared : 0) | (sidecar ? Flag.sidecar : 0),
    mode: options.fileMode ?? -1,
    owner: options.owner,
    allowNetwork: options.network === 'allow',
  };
}

/** A lock that was granted: `recovered` when the holder before died without releasing it. */
export interface Grant {
  handle: Handle;
  outcome: Outcome;
}

/**
 * One attempt without waiting for a holder; undefined when there is one. `mayBlock: false` also
 * answers undefined where the attempt itself could block this thread: out of courtesy to waiters
 * (native/courtesy.h), or on a network filesystem.
 *
 * @throws {LockError} when the attempt cannot be made
 */
export function tryNow(target: LockTarget, mayBlock: boolean): Grant | undefined {
  const handle = takeHandle();
  const { lockPath, mode } = target;
  for (let tries = 0; mayBlock || (target.flags & Flag.network) === 0; tries++) {
    const flags = mayBlock ? target.flags : target.flags | Flag.noPause;
    const outcome = addon.tryAcquire(lockPath, flags, mode, signature(target), handle);
    if (outcome === Outcome.granted || outcome === Outcome.recovered) return { handle, outcome };
    if (outcome === Outcome.busy) break;
    remedy(target, outcome, handle, tries);
  }
  returnHandle(handle);
  return undefined;
}

/**
 * The same, but the thread blocks for up to `timeoutMs`; undefined when that ran out.
 *
 * @throws {LockError} `ERR_LOCK_HELD` when this very thread is the holder
 */
export function tryBlocking(target: LockTarget, timeoutMs: number): Grant | undefined {
  const handle = takeHandle();
  const deadline = performance.now() + timeoutMs;
  for (let tries = 0; ; tries++) {
    const { lockPath, flags, mode } = target;
    const text = signature(target);
    const left = tries === 0 ? timeoutMs : Math.max(0, deadline - performance.now());
    const outcome = addon.acquireSync(lockPath, flags, mode, text, handle, left);
    if (outcome === Outcome.granted || outcome === Outcome.recovered) return { handle, outcome };
    if (outcome === Outcome.cancelled || outcome === Outcome.deadlock) {
      returnHandle(handle);
      if (outcome === Outcome.deadlock) throw heldError(target);
      return undefined;
    }
    remedy(target, outcome, handle, tries);
  }
}

/** False for an outcome that {@link remedy} may change. */
export function isSettled(outcome: Outcome): boolean {
  return (
    outcome !== Outcome.unjudged && outcome !== Outcome.failed && outcome !== Outcome.notRegular
  );
}

/**
 * Makes the next attempt possible after one that came back unsettled: judges the filesystem, makes
 * the sidecar's folder.
 *
 * @throws {LockError} when nothing can be done about it
 */
export function remedy(target: LockTarget, outcome: Outcome, handle: Handle, tries: number): void {
  const { lockPath: path } = target;
  if (outcome === Outcome.unjudged) {
    target.flags |= judge(path, target.allowNetwork) ? Flag.local : Flag.network;
    return;
  }
  if (outcome === Outcome.notRegular) {
    const message = `cannot lock ${path}: it is not a regular file`;
    throw new LockError('ERR_LOCK_NOT_REGULAR', message, { path });
  }
  const error = failureError(addon.failureOf(handle), path);
  const { code } = error.cause as NodeJS.ErrnoException;
  if (code !== 'ENOENT') throw error;
  if (!target.sidecar) {
    const message = `cannot lock ${path}: it does not exist`;
    throw new LockError('ERR_LOCK_NOT_FOUND', message, { path, cause: error.cause });
  }
  // Somebody who removes the folder as fast as we make it shall not keep us for ever.
  if (tries >= maxRemedies) throw error;
  makeFolder(path);
}

/** What an exclusive holder will write into the sidecar; made once for each owner's name. */
export function signature(target: LockTarget): string {
  if (!target.sidecar || target.shared) return '';
  if (target.owner !== signedBy || signed === '') {
    signedBy = target.owner;
    signed = holderText(target.owner ?? defaultOwner(), thisProcess());
  }
  return signed;
}

let signedBy: string | undefined;
let signed = '';

/** This process, as holders are described. */
export function thisProcess(): ProcessInfo {
  self ??= describeProcess(addon.processStart(process.pid));
  return self;
}

let self: ProcessInfo | undefined;

/** The holder that the sidecar names, if any. It may have died since. */
export function namedHolder(target: LockTarget): HolderInfo | null {
  const text = target.sidecar ? addon.readSidecar(target.lockPath) : undefined;
  return text === undefined ? null : parseHolder(text);
}

export function heldError(target: LockTarget): LockError {
  const holder = namedHolder(target);
  return new LockError('ERR_LOCK_HELD', `${target.resource} is held by ${describeHolder(holder)}`, {
    path: target.lockPath,
    holder,
  });
}

export function timeoutError(target: LockTarget, timeoutMs: number): LockError {
  const holder = namedHolder(target);
  const who = describeHolder(holder);
  return new LockError(
    'ERR_LOCK_TIMEOUT',
    `timed out after ${timeoutMs} ms: ${target.resource} is held by ${who}`,
    { path: target.lockPath, holder },
  );
}
