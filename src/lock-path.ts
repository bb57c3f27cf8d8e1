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
import { constants } from 'node:os';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { LockError } from './errors.js';
import { addon, failureError, isFailure } from './native.js';
import type { LockOptions } from './options.js';

const windows = process.platform === 'win32';
const maxLinks = 40; // as the kernel, path_resolution(7)

/** Absolute POSIX paths without empty, "." and ".." components or control characters need no work. */
const needsWork = /^[^/]|\/(?:\.{0,2}\/|\.{0,2}$)|[\0-\x1f\x7f\ud800-\udfff]/;
/** Half a character: every one of them would be written as the same U+FFFD, and share its lock. */
const loneSurrogate = /\p{Surrogate}/u;
const controlCharacter = /[\0-\x1f\x7f]/;

/** The resource as an absolute path, a link as its last component resolved. */
export function resourceFile(resource: string | URL): string {
  return followLast(absolute(resource));
}

/** The sidecar of such a resource. */
export function sidecarFile(file: string, options: LockOptions): string {
  if (options.lockPath !== undefined) return absolute(options.lockPath, 'lockPath');
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

/** The same for a file that is locked itself: there the kernel follows the last component, too. */
export function canonicalResource(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    return canonical(path);
  }
}

export function absolute(named: string | URL, what = 'the resource'): string {
  const path = typeof named === 'string' ? named : fromUrl(named, what);
  if (!windows && path !== '' && !needsWork.test(path)) return path;
  if (path === '') throw new TypeError(`${what} must not be empty`);
  if (controlCharacter.test(path)) {
    throw new TypeError(`${what} must not contain NUL or control characters`);
  }
  if (loneSurrogate.test(path)) throw new TypeError(`${what} must be well-formed text`);
  if (windows || !hasDotDot(path))
    return resolve(isAbsolute(path) ? '/' : workingDirectory(), path);
  return climb(isAbsolute(path) ? path : `${workingDirectory()}/${path}`);
}

/** It may have been removed under us. */
function workingDirectory(): string {
  try {
    return process.cwd();
  } catch (cause) {
    throw new LockError('ERR_LOCK_SYSTEM', 'the working directory is gone', { cause });
  }
}

/**
 * Component by component, as path_resolution(7) does it. A part that does not exist yet is no link;
 * if it became one, or were a dangling one, the same words would mean another file later.
 */
function climb(path: string): string {
  let at = '/';
  for (const part of path.split('/')) {
    if (part === '..') at = dirname(withoutLinks(at));
    else at = join(at, part);
  }
  return at;
}

function withoutLinks(path: string): string {
  try {
    return realpathSync.native(path);
  } catch (cause) {
    const { code = 'unknown' } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' && addon.readLink(path) === undefined) return path;
    const message = `cannot look up ${path}: ${code} (realpath)`;
    throw new LockError('ERR_LOCK_SYSTEM', message, { path, cause });
  }
}

function fromUrl(named: unknown, what: string): string {
  if (!(named instanceof URL)) throw new TypeError(`${what} must be a string or a file: URL`);
  return fileURLToPath(named);
}

function hasDotDot(path: string): boolean {
  return path.split('/').includes('..');
}

function followLast(file: string): string {
  let at = file;
  for (let links = 0; links <= maxLinks; links++) {
    const target = addon.readLink(at);
    if (target === undefined) return at;
    if (isFailure(target)) throw failureError(target, at);
    at = absolute(isAbsolute(target) ? target : `${dirname(at)}/${target}`);
  }
  // As the kernel would answer; the path is the one that the caller knows.
  throw failureError({ errno: constants.errno.ELOOP, syscall: 'readlink' }, file);
}
