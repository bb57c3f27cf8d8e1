/**
 * Where leases are kept if nobody says where: one folder for all that work on the same checkout.
 *
 * `HOLDFAST_ROOT` (or `LOKT_ROOT`); else `holdfast/` in git's common directory, which the worktrees of
 * a repository share (gitrepository-layout(5)); else the nearest `.holdfast/` upwards; else
 * `.holdfast/` in the working directory.
 */
import { readFileSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';

import { LockError } from './errors.js';

/**
 * The folder, absolute. It need not exist.
 *
 * @throws {LockError} `ERR_LOCK_SYSTEM` it hangs on the working directory, which was removed
 */
export function findRoot(
  start?: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): string {
  // A variable that is set but empty says nothing.
  const [named] = [env['HOLDFAST_ROOT'], env['LOKT_ROOT']].filter(Boolean);
  if (named !== undefined && isAbsolute(named)) return resolve(named);
  const from = start ?? workingDirectory();
  if (named !== undefined) return resolve(from, named);
  const git = upwards(from, commonDirectory);
  if (git !== undefined) return join(git, 'holdfast');
  const near = upwards(from, (folder) => {
    const own = join(folder, '.holdfast');
    return isDirectory(own) ? own : undefined;
  });
  return near ?? resolve(from, '.holdfast');
}

function workingDirectory(): string {
  try {
    return process.cwd();
  } catch (cause) {
    const message = 'the working directory is gone: name the folder of the leases (HOLDFAST_ROOT)';
    throw new LockError('ERR_LOCK_SYSTEM', message, { cause });
  }
}

/** Of the repository whose top this folder is. */
function commonDirectory(folder: string): string | undefined {
  const git = join(folder, '.git');
  if (isDirectory(git)) return git;
  if (isBare(folder)) return folder;
  // A worktree or submodule: a file that says where its directory is, which may say the same.
  const own = /^gitdir: (.+)$/m.exec(textOf(git))?.[1];
  if (own === undefined) return undefined;
  const directory = resolve(folder, own.trim());
  if (!isDirectory(directory)) return undefined;
  const common = textOf(join(directory, 'commondir')).trim();
  return common === '' ? directory : resolve(directory, common);
}

/** A repository without a checkout of its own, as git tells one; its worktrees name it. */
function isBare(folder: string): boolean {
  const parts = ['objects', 'refs'].map((part) => join(folder, part));
  return parts.every(isDirectory) && textOf(join(folder, 'HEAD')) !== '';
}

function upwards(from: string, find: (folder: string) => string | undefined): string | undefined {
  for (let at = resolve(from); ; at = dirname(at)) {
    const found = find(at);
    if (found !== undefined || at === dirname(at)) return found;
  }
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** Empty when it is no file that can be read. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
