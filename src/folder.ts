/**
 * The folder that lock files are in: whether a lock there can be trusted, and whether it exists.
 */
import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

import { LockError } from './errors.js';
import { isLocal, type FilesystemInfo } from './filesystem.js';
import { addon, failureError, isFailure, systemError } from './native.js';

/**
 * Whether a lock at this path holds; true for a local filesystem, false for another that is allowed.
 *
 * @throws {LockError} `ERR_LOCK_FS_UNSUPPORTED` for another that is not
 */
export function judge(path: string, allowNetwork: boolean): boolean {
  const info = nearestFilesystem(path);
  if (isLocal(info)) return true;
  if (allowNetwork) return false;
  throw new LockError(
    'ERR_LOCK_FS_UNSUPPORTED',
    `cannot lock ${path}: ${info.type || 'an unknown filesystem'} may let two holders in ` +
      "(a network or shared folder); { network: 'allow' } locks there at your own risk",
    { path },
  );
}

/** A sidecar may be on its way into a folder that does not exist yet. */
function nearestFilesystem(path: string): FilesystemInfo {
  for (let at = path; ; at = dirname(at)) {
    const info = addon.fsInfo(at);
    if (!isFailure(info)) return info;
    const missing = ['ENOENT', 'ENOTDIR'].includes(systemError(info, at).code);
    if (!missing || at === dirname(at)) throw failureError(info, path);
  }
}

/** Makes the folder that a file at this path needs; as the umask wants it unless there is a `mode`. */
export function makeFolder(path: string, mode?: number): void {
  try {
    makeFolders(dirname(path), mode);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown';
    throw new LockError('ERR_LOCK_SYSTEM', `cannot lock ${path}: ${code} (mkdir)`, { path, cause });
  }
}

/**
 * A folder and those above it. The recursive mkdir of Node 20 never returns where a folder that is
 * there answers ENOENT, as those of /proc do.
 *
 * @returns the uppermost that was made, if any
 * @throws the error of the system
 */
export function makeFolders(path: string, mode?: number): string | undefined {
  const above = dirname(path);
  try {
    return make(path, mode);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' || above === path) throw error;
  }
  const first = makeFolders(above, mode);
  const last = make(path, mode);
  return first ?? last;
}

function make(path: string, mode?: number): string | undefined {
  try {
    mkdirSync(path, { mode });
    if (mode !== undefined) letIn(path, mode);
    return path;
  } catch (error) {
    if (codeOf(error) === 'EEXIST' && statSync(path).isDirectory()) return undefined;
    throw error;
  }
}

/** The umask shall not keep those out for whom the files are. A set-group-ID bit from above stays. */
function letIn(path: string, mode: number): void {
  try {
    const made = statSync(path).mode;
    if ((made & 0o777) !== mode) chmodSync(path, (made & 0o7000) | mode);
  } catch {
    // Removed by now, or on a filesystem that has no modes.
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
