/** What the commands end with. Scripts rely on these numbers. */
import { constants } from 'node:os';

import { LockError, type LockErrorCode } from '../errors.js';

export const ExitCode = {
  ok: 0,
  failed: 1,
  /** Somebody holds it, it is frozen, or the limit ran out. */
  held: 2,
  notFound: 3,
  notOwner: 4,
  /** A lease was lost while it was needed. */
  lost: 5,
  /** The command was called wrongly; EX_USAGE of sysexits(3). */
  usage: 64,
} as const;

/** What shells answer for a command that cannot be run, and for one that is not there. */
export const notExecutable = 126;
export const notFoundCommand = 127;

/** What each of them means, for `--help` and the documentation. */
export const exitCodeTexts: readonly (readonly [code: number | string, text: string])[] = [
  [ExitCode.ok, 'done; for a question: yes'],
  [ExitCode.failed, 'an error'],
  [ExitCode.held, 'held by somebody else, frozen, busy, or timed out'],
  [ExitCode.notFound, 'nobody holds it'],
  [ExitCode.notOwner, "it is somebody else's"],
  [ExitCode.lost, 'the lease was lost'],
  [ExitCode.usage, 'wrong usage'],
  [notExecutable, 'guard: the command could not be run'],
  [notFoundCommand, 'guard: the command was not found'],
  ['128+n', 'ended by signal n: 130 for Ctrl-C; 141 if nobody reads what is written'],
];

/** What a shell reports for a program that a signal ended: 130 for SIGINT. */
export function signalExitCode(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

const codes: Partial<Record<LockErrorCode, number>> = {
  ERR_LOCK_HELD: ExitCode.held,
  ERR_LOCK_TIMEOUT: ExitCode.held,
  ERR_LOCK_FROZEN: ExitCode.held,
  ERR_LOCK_BUSY: ExitCode.held,
  ERR_LOCK_NOT_FOUND: ExitCode.notFound,
  ERR_LOCK_NOT_OWNER: ExitCode.notOwner,
  ERR_LOCK_LOST: ExitCode.lost,
};

/** The exit code of what went wrong. */
export function errorExitCode(error: unknown): number {
  if (error instanceof LockError) return codes[error.code] ?? ExitCode.failed;
  if (error instanceof UsageError) return ExitCode.usage;
  return ExitCode.failed;
}

/** Of several: an error before a refusal, and that before there being nothing. */
export function worst(codes: readonly number[]): number {
  return gravity.find((code) => codes.includes(code)) ?? codes.find((code) => code !== 0) ?? 0;
}

const gravity: readonly number[] = [
  ExitCode.failed,
  ExitCode.lost,
  ExitCode.held,
  ExitCode.notOwner,
  ExitCode.notFound,
];

/** The exit code of another program, which stands even if the command was interrupted. */
export class FinalCode {
  constructor(readonly code: number) {}
}

/** The command was called wrongly; the message says how. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/**
 * What the library calls misuse is a wrong word on the command line, where `fn` only checks such.
 * Elsewhere a TypeError is a fault of ours and must not blame the user.
 */
export function asUsage<T>(fn: () => T): T {
  try {
    return fn();
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) {
      throw new UsageError(error.message);
    }
    throw error;
  }
}
