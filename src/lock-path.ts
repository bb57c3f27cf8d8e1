/**
 * From a resource to the file that is locked for it.
 *
 * Two spellings of one resource must lead to one sidecar inode. Symbolic links among the parents do
 * that by themselves, so only the last component is resolved, with one readlink(2): no realpath(3)
 * on the way to a lock, and no cache that a changed link would defeat. A ".." behind a link means
 * the parent of the link's target to the kernel; such paths are resolved as the kernel does it.
 *
 * Canonical strings, for people and for comparing, are computed when they are asked for.
 */
import { realpathSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { LockError } from './errors.js';
import { addon, failureError, isFailure } from './native.js';
import type { LockOptions } from './options.js';

const windows = process.platform === 'win32';
const maxLinks = 40; // as the kernel, path_resolution(7)

/** Absolute POSIX paths without empty, "." and ".." components or control characters need no work. */
// eslint-disable-next-line no-control-regex -- control characters are what it looks for
const needsWork = /^[^/]|\/(?:\.{0,2}\/|\.{0,2}$)|[\0-\x1f\x7f]/;
// eslint-disable-next-line no-control-regex -- the same
const controlCharacter = /[\0-\x1f\x7f]/;

/** The resource as an absolute path, a link as its last component resolved. */
export function resourceFile(resource: string | URL): string {
  return followLast(absolute(resource));
}

/** The sidecar of such a resource. */
export function sidecarFile(file: string, options: LockOptions): string {
  if (options.lockPath !== undefined) return absolute(options.lockPath);
  return file + (options.directory === true ? '.dir.lock' : '.lock');
}

/** The one spelling of a path: parents without links, last component as it is. */
export function canonical(path: string): string {
  const parent = dirname(path);
  if (parent === path) return path;
  try {
    return join(realpathSync.native(parent), basename(path));
  } catch {
    return join(canonical(parent), basename(path));
  }
}

export function absolute(resource: string | URL): string {
  const path = typeof resource === 'string' ? resource : fromUrl(resource);
  if (!windows && path !== '' && !needsWork.test(path)) return path;
  if (path === '') throw new TypeError('the path must not be empty');
  if (controlCharacter.test(path)) {
    throw new TypeError('the path must not contain NUL or control characters');
  }
  if (windows || !hasDotDot(path)) return resolve(path);
  const whole = isAbsolute(path) ? path : `${process.cwd()}/${path}`;
  const last = basename(whole);
  try {
    if (last === '..') return realpathSync.native(whole);
    return join(realpathSync.native(dirname(whole)), last);
  } catch {
    return resolve(whole); // a parent that does not exist yet has no links
  }
}

function fromUrl(resource: unknown): string {
  if (!(resource instanceof URL))
    throw new TypeError('the resource must be a string or a file: URL');
  return fileURLToPath(resource);
}

function hasDotDot(path: string): boolean {
  return path.split('/').includes('..');
}

function followLast(file: string): string {
  for (let links = 0; links <= maxLinks; links++) {
    const target = addon.readLink(file);
    if (target === undefined) return file;
    if (isFailure(target)) throw failureError(target, file);
    file = absolute(isAbsolute(target) ? target : `${dirname(file)}/${target}`);
  }
  throw new LockError('ERR_LOCK_SYSTEM', `cannot lock ${file}: too many symbolic links`, {
    path: file,
  });
}
