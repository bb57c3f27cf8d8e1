/**
 * The only module that loads the addon, and the only one that knows its numbers.
 *
 * Failures of the system come out of the addon as values, `{ errno, syscall }`; here they become
 * typed errors.
 */
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

import { LockError, type LockErrorCode, type SystemError } from './errors.js';
import type { FilesystemInfo } from './filesystem.js';
import { packageRoot } from './package-root.js';

declare const opaque: unique symbol;
/** An open, locked file, or room for one. Opaque: its descriptor is told by {@link descriptorOf} alone. */
export interface Handle {
  readonly [opaque]: 'handle';
}
/** A failed system call. */
export interface Failure {
  errno: number;
  syscall: string;
}

/** How an attempt ended; the numbers are those of `Outcome` in native/lock_handle.h. */
export const Outcome = {
  granted: 0,
  busy: 1,
  cancelled: 2,
  unjudged: 3,
  failed: 4,
  notRegular: 5,
  deadlock: 6,
  recovered: 7,
} as const;
export type Outcome = (typeof Outcome)[keyof typeof Outcome];

/** Bits of a request; the numbers are those of `LockRequest::Flag` in native/lock_handle.h. */
export const Flag = {
  shared: 1,
  sidecar: 2,
  network: 4,
  local: 8,
  noPause: 16,
  plain: 32,
} as const;

interface Addon {
  createHandle(): Handle;
  tryAcquire(path: string, flags: number, mode: number, text: string, handle: Handle): Outcome;
  acquireSync(
    path: string,
    flags: number,
    mode: number,
    text: string,
    handle: Handle,
    timeoutMs: number,
  ): Outcome;
  startWait(
    path: string,
    flags: number,
    mode: number,
    text: string,
    handle: Handle,
    finished: () => void,
  ): Failure | undefined;
  cancelWait(handle: Handle): boolean;
  hasResult(handle: Handle): boolean;
  collect(handle: Handle): Outcome;
  discard(handle: Handle): void;
  release(handle: Handle): void;
  failureOf(handle: Handle): Failure;
  previousOf(handle: Handle): string;
  stillNamed(handle: Handle, path: string): boolean | Failure;
  descriptorOf(handle: Handle): number | undefined;
  identify(path: string, follow: boolean): string | undefined | Failure;
  readSidecar(path: string): string | undefined;
  readLink(path: string): string | undefined | Failure;
  createExclusive(
    path: string,
    bytes: Uint8Array,
    durable: boolean,
    mode: number,
  ): Failure | undefined;
  processStart(pid: number): number | undefined;
  dieWithUs(pid: number): Failure | undefined;
  outliveUs(): Failure | undefined;
  fsInfo(path: string): FilesystemInfo | Failure;
  transact(...request: NativeTransaction): NativeResult;
  startTransact(...request: [...NativeTransaction, finished: () => void]): Failure | undefined;
  collectTransact(handle: Handle): NativeResult;
  startRecordWait(handle: Handle, finished: () => void): Failure | undefined;
  glance(path: string): string | undefined;
  bootClock(): [monotonicMs: number, boottimeMs: number];
  bootIdentity(): { bootId: string; timeNamespace: string };
}

/** A transaction as the addon takes it; src/transaction-request.ts packs it. */
export type NativeTransaction = [
  base: string,
  what: number,
  mode: number,
  expected: Uint8Array | null,
  freeze: Uint8Array | null,
  next: Uint8Array | null,
  note: string,
  handle: Handle,
];

/** How it ended; the numbers are those of `Verdict` in native/transaction.h. */
export const Verdict = {
  done: 0,
  conflict: 1,
  busy: 2,
  needsSync: 3,
  unjudged: 4,
  notRegular: 5,
  failed: 6,
  cancelled: 7,
} as const;

/**
 * What the addon answers; which fields are there depends on the verdict. Bytes come as strings with
 * a character for each byte ("latin1").
 */
export interface NativeResult {
  verdict: (typeof Verdict)[keyof typeof Verdict];
  record?: string;
  freeze?: string;
  alive?: boolean;
  note?: string;
  token?: bigint;
  written?: string;
  errno?: number;
  syscall?: string;
  path?: string;
}

export const addon: Addon = load();

function load(): Addon {
  const require = createRequire(import.meta.url);
  const find = require('node-gyp-build') as (root: string) => Addon;
  try {
    return find(fileURLToPath(packageRoot));
  } catch (cause) {
    const target = `${process.platform}-${process.arch}${libcName()}`;
    throw new LockError(
      'ERR_LOCK_NATIVE_MISSING',
      `holdfast has no compiled addon for ${target} (Node-API 8). ` +
        'Build it with a C++20 compiler, Python 3 and make: npm explore holdfast -- npm run build:native',
      { cause },
    );
  }
}

function libcName(): string {
  if (process.platform !== 'linux') return '';
  // Node's types promise a report; other runtimes that load Node-API addons have none.
  const { report } = process as { report?: NodeJS.ProcessReport };
  const facts = report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined;
  const version = facts?.header?.glibcVersionRuntime;
  return version === undefined ? ' (musl)' : ` (glibc ${version})`;
}

const spare: Handle[] = [];
const maxSpare = 64;

/** A free handle; give it back with {@link returnHandle}. Making one costs more than a lock. */
export function takeHandle(): Handle {
  return spare.pop() ?? addon.createHandle();
}

/** Takes back a handle that holds nothing. */
export function returnHandle(handle: Handle): void {
  if (spare.length < maxSpare) spare.push(handle);
}

/** Takes back a handle with whatever it holds: a lock, or a file that a look left open in it. */
export function dropHandle(handle: Handle): void {
  addon.release(handle);
  returnHandle(handle);
}

/** Of two names for one number (EAGAIN, EWOULDBLOCK) the first, which is the common one. */
const errnoNames = new Map(
  Object.entries(constants.errno)
    .map(([name, number]) => [number, name] as const)
    .reverse(),
);

export function isFailure(value: unknown): value is Failure {
  return typeof value === 'object' && value !== null && 'syscall' in value && 'errno' in value;
}

/** The failed call as Node would report it: the `cause` of a LockError. */
export function systemError(failure: Failure, path: string): SystemError {
  const code = errnoNames.get(failure.errno) ?? `E${failure.errno}`;
  const error = new Error(`${code}: ${failure.syscall} '${path}'`) as SystemError;
  error.errno = -failure.errno;
  error.code = code;
  error.syscall = failure.syscall;
  error.path = path;
  return error;
}

/** Why the system refused, as a typed error that names path, call and code. */
export function failureError(failure: Failure, path: string): LockError {
  const cause = systemError(failure, path);
  const code = codeFor(cause);
  return new LockError(code, `cannot lock ${path}: ${cause.code} (${cause.syscall})`, {
    path,
    cause,
  });
}

function codeFor(cause: SystemError): LockErrorCode {
  const unsupported = ['ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL'].includes(cause.code);
  if (unsupported && /flock|LockFile/i.test(cause.syscall)) return 'ERR_LOCK_FS_UNSUPPORTED';
  return 'ERR_LOCK_SYSTEM';
}

/**
 * Creates a file that must not exist yet, complete or not at all: open(2) with `O_CREAT|O_EXCL`,
 * write, and with `durable` fsync(2) of the file and of its directory.
 *
 * @throws {SystemError} `EEXIST` when anything stands at the path; any other failure leaves no file.
 */
export function createExclusive(
  path: string,
  bytes: Uint8Array,
  { durable, mode = -1 }: { durable: boolean; mode?: number },
): void {
  const failure = addon.createExclusive(path, bytes, durable, mode);
  if (failure !== undefined) throw systemError(failure, path);
}
