/**
 * What lies in a folder of leases. Other things may: the sidecars of file locks end in `.lock`, too,
 * and are none of ours.
 */
import { closeSync, constants, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';

import { isSidecar } from '../envelope.js';
import { LockError } from '../errors.js';
import { isShortened, nameOf } from '../names.js';

/** The files that leases have, by their names without suffix, in order. */
export interface Listed {
  /** With a record or a freeze. */
  readonly stems: readonly string[];
  /** With a left-over of somebody who died at work. */
  readonly unfinished: ReadonlySet<string>;
}

/**
 * Empty when there is no such folder.
 *
 * @throws {LockError} `ERR_LOCK_SYSTEM` it cannot be read
 */
export function listFolder(dir: string): Listed {
  const stems = new Set<string>();
  const unfinished = new Set<string>();
  for (const file of entries(dir)) {
    const dot = file.lastIndexOf('.');
    const stem = file.slice(0, dot);
    const suffix = file.slice(dot);
    if (nameOf(stem) === undefined && !isShortened(stem)) continue;
    if (suffix === '.freeze' || suffix === '.new') stems.add(stem);
    if (suffix === '.new') unfinished.add(stem);
    if (suffix === '.lock' && !beginsAsSidecar(join(dir, file))) stems.add(stem);
  }
  return { stems: [...stems].sort(), unfinished };
}

function entries(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch (cause) {
    const { code = 'unknown' } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return [];
    throw new LockError('ERR_LOCK_SYSTEM', `cannot list ${dir}: ${code} (readdir)`, {
      path: dir,
      cause,
    });
  }
}

/** False also for what cannot be read: it is looked at more closely then. */
function beginsAsSidecar(path: string): boolean {
  // Neither a FIFO nor what a link points to shall keep us. (On Windows these are 0 in an "or".)
  const { O_RDONLY, O_NONBLOCK, O_NOFOLLOW } = constants;
  try {
    const file = openSync(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
    try {
      const head = Buffer.alloc(16);
      return isSidecar(head.subarray(0, readSync(file, head)));
    } finally {
      closeSync(file);
    }
  } catch {
    return false;
  }
}
