/**
 * The audit log as it lies there, to be read: PATH, and PATH.1, PATH.2 and so on, the higher the older.
 *
 * Nobody is kept from writing or rotating meanwhile. A file only ever moves to a higher number, so they
 * are opened from the lowest up, and none is missed; one that is met twice is known by its inode, which
 * stays what it is as long as it is open. The youngest two stay open: into the second a line may still
 * be written by who was overtaken by a rotation.
 */
import { closeSync, constants, fstatSync, openSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';

import { LockError } from '../errors.js';
import { GrowingFile, type TextLine } from './growing-file.js';

/** A line, and where it stands. */
export interface LogLine extends TextLine {
  readonly path: string;
}

interface Opened {
  readonly path: string;
  readonly fd: number;
  readonly inode: string;
  readonly content: GrowingFile;
}

// A FIFO that nobody writes to must not stop the program.
const { O_NONBLOCK: nonBlocking = 0 } = constants as { O_NONBLOCK?: number };

export class AuditFiles {
  readonly #path: string;
  /** The oldest first. */
  #files: Opened[] = [];

  constructor(path: string) {
    this.#path = path;
  }

  /** There has been something to read. */
  get found(): boolean {
    return this.#files.length > 0;
  }

  /**
   * What has been written since the last call. A line that has no end yet waits for it.
   *
   * @throws {LockError} `ERR_LOCK_SYSTEM`, `ERR_LOCK_NOT_REGULAR`
   */
  *read(): Generator<LogLine> {
    this.#files.push(...this.#newcomers());
    for (const { path, content } of this.#files) {
      for (const line of content.lines()) yield { ...line, path };
    }
    for (const done of this.#files.splice(0, this.#files.length - 2)) yield* finish(done);
  }

  /** Closes the files. What has no end will have none. */
  *end(): Generator<LogLine> {
    for (const done of this.#files.splice(0)) yield* finish(done);
  }

  close(): void {
    for (const { fd } of this.#files.splice(0)) closeSync(fd);
  }

  #newcomers(): Opened[] {
    const found: Opened[] = [];
    for (let n: number | undefined = 0; n !== undefined; n = this.#next(n)) {
      const path = n === 0 ? this.#path : `${this.#path}.${n}`;
      const inode = inodeOf(path);
      if (inode !== undefined && this.#files.some((file) => file.inode === inode)) break;
      const file = inode === undefined ? undefined : openLog(path);
      if (file === undefined) continue;
      if (found.some((other) => other.inode === file.inode)) closeSync(file.fd);
      else found.unshift(file);
    }
    return found;
  }

  /** The next number that a file has; they may have gaps. */
  #next(n: number): number | undefined {
    const prefix = `${basename(this.#path)}.`;
    const numbers = attempt(this.#path, () => readdirSync(dirname(this.#path)))
      ?.filter((name) => name.startsWith(prefix) && /^[1-9]\d*$/.test(name.slice(prefix.length)))
      .map((name) => Number(name.slice(prefix.length)))
      .filter((number) => number > n);
    return numbers === undefined || numbers.length === 0 ? undefined : Math.min(...numbers);
  }
}

function* finish({ path, fd, content }: Opened): Generator<LogLine> {
  yield* content.end().map((line) => ({ ...line, path }));
  closeSync(fd);
}

function inodeOf(path: string): string | undefined {
  const stats = attempt(path, () => statSync(path, { bigint: true }));
  return stats && `${stats.dev}:${stats.ino}`;
}

function openLog(path: string): Opened | undefined {
  const fd = attempt(path, () => openSync(path, constants.O_RDONLY | nonBlocking));
  if (fd === undefined) return undefined;
  const stats = fstatSync(fd, { bigint: true });
  if (!stats.isFile()) {
    closeSync(fd);
    throw new LockError('ERR_LOCK_NOT_REGULAR', `cannot read ${path}: not a regular file`, {
      path,
    });
  }
  return { path, fd, inode: `${stats.dev}:${stats.ino}`, content: new GrowingFile(fd) };
}

/** Undefined: there is no such file. */
function attempt<T>(path: string, fn: () => T): T | undefined {
  try {
    return fn();
  } catch (cause) {
    const { code = 'unknown', syscall = '' } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    const message = `cannot read ${path}: ${code} (${syscall})`;
    throw new LockError('ERR_LOCK_SYSTEM', message, { path, cause });
  }
}
