/**
 * The file lock that `holdfast guard --file PATH` holds: on the file itself, as flock(1) does, so that
 * both exclude each other. It is the kernel's, and cannot be lost.
 */
import { closeSync, openSync } from 'node:fs';

import { LockError } from '../errors.js';
import { lock } from '../file-lock.js';
import type { FileLock } from '../held.js';
import { plain } from '../owner.js';
import type { Context } from './context.js';
import { ExitCode, UsageError } from './exit-codes.js';
import type { Held } from './guard-lease.js';

const ofLeases = ['ttl', 'owner', 'meta', 'kill-after'] as const;

/** Somebody who removes it as fast as we make it shall not keep us for ever. */
const maxTries = 10;

/** The lock, or the exit code of a conflict. */
export async function takeFileLock(context: Context): Promise<Held | number> {
  const { args } = context;
  const path = args.text('file') ?? '';
  if (path === '' || args.operands.length > 0) {
    throw new UsageError('guard takes either a name or --file PATH');
  }
  for (const option of ofLeases) {
    if (args.text(option) !== undefined) throw new UsageError(`--${option} goes with a name`);
  }
  const conflictCode = readCode(args.text('conflict-exit-code'));
  try {
    const held = await lockOrCreate(context, path);
    return {
      what: `the lock on ${plain(path)}`,
      env: {},
      descriptor: held.descriptor,
      release: () => {
        held.release();
        return Promise.resolve(true);
      },
    };
  } catch (error) {
    if (!(error instanceof LockError) || !conflicts.has(error.code)) throw error;
    // The lock on a file says nothing of who has it.
    const message = `${plain(path)} is locked by somebody else`;
    return context.fail(conflictCode, message, { code: error.code, file: path });
  }
}

const conflicts = new Set<string>(['ERR_LOCK_HELD', 'ERR_LOCK_TIMEOUT']);

/** An empty file if there is none. Not at once: in /tmp one may lock what one may not create. */
async function lockOrCreate({ args, signal }: Context, path: string): Promise<FileLock> {
  const timeout = args.flag('no-wait') ? 0 : (args.duration('timeout', 0) ?? Infinity);
  const options = { sidecar: false, shared: args.flag('shared'), timeout, signal };
  for (let tries = 0; ; tries++) {
    try {
      return await lock(path, options);
    } catch (error) {
      const missing = error instanceof LockError && error.code === 'ERR_LOCK_NOT_FOUND';
      if (!missing || tries >= maxTries) throw error;
      create(path);
    }
  }
}

function create(path: string): void {
  try {
    closeSync(openSync(path, 'a', 0o666));
  } catch (cause) {
    const { code = 'unknown', syscall = '' } = cause as NodeJS.ErrnoException;
    const message = `cannot create ${path}: ${code} (${syscall})`;
    throw new LockError('ERR_LOCK_SYSTEM', message, { path, cause });
  }
}

function readCode(text: string | undefined): number {
  if (text === undefined) return ExitCode.held;
  if (/^\d{1,3}$/.test(text) && Number(text) <= 255) return Number(text);
  throw new UsageError(`--conflict-exit-code must be a number from 0 to 255, not '${text}'`);
}
