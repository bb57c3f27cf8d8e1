/**
 * A file that many processes append lines to, and that is put aside when it is full: PATH becomes
 * PATH.1, that PATH.2, and so on.
 *
 * Each line is one write(2) with O_APPEND, so lines of several processes never mix. Nobody locks to
 * write. Before each write the path is looked up: if it names another file than the one that is open,
 * somebody has rotated, and the other one is opened. Who is overtaken between look and write appends
 * one line to PATH.1, where it is as good.
 *
 * Who finds the file full rotates it under a file lock on PATH.rotation, and looks again
 * once it has that: two who rotate at once would move the same file on twice, or one file over
 * another. Whoever does not get the lock at once goes on writing, for somebody is rotating.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  openSync,
  readSync,
  renameSync,
  statSync,
  writeSync,
  type BigIntStats,
} from 'node:fs';

import { tryLock } from './file-lock.js';
import type { FileLock } from './held.js';

export interface RotationOptions {
  /** Size in bytes. */
  readonly maxBytes: number;
  /** How many are kept besides the one that is written to. */
  readonly keep: number;
  /** Permission bits of files that are created. */
  readonly fileMode: number;
}

/** After a rotation that failed: another attempt with each line would be in vain, and not cheap. */
const rotationPauseMs = 1000;

/** Others create and rotate meanwhile; they cannot be so much faster for ever. */
const maxTries = 20;

// O_NONBLOCK: a FIFO that nobody reads is an error, it must not stop the program.
const { O_APPEND, O_CREAT, O_EXCL, O_RDONLY, O_WRONLY } = constants;
const unix: { O_NOCTTY?: number; O_NONBLOCK?: number } = constants;
const nonBlocking = unix.O_NONBLOCK ?? 0;
const appending = O_WRONLY | O_APPEND | nonBlocking | (unix.O_NOCTTY ?? 0);

export class RotatingFile {
  readonly #path: string;
  readonly #options: RotationOptions;
  readonly #rotationFailed: (error: unknown) => void;
  /** Not PATH.lock: in a folder of leases that is the record of one. */
  readonly #lockPath: string;
  #open: { fd: number; dev: bigint; ino: bigint } | undefined;
  #notBefore = -Infinity;
  /** The last rotation failed. */
  #stuck = false;
  /** The last write was in vain: it may have left the beginning of a line, ours or another's. */
  #doubtful = false;

  constructor(path: string, options: RotationOptions, rotationFailed: (error: unknown) => void) {
    this.#path = path;
    this.#lockPath = `${path}.rotation`;
    this.#options = options;
    this.#rotationFailed = rotationFailed;
  }

  /** Appends a line, its end included. Throws the error of the system if it is not there then. */
  append(line: string): void {
    try {
      this.#append(line);
      this.#doubtful = false;
    } catch (error) {
      this.#doubtful = true;
      this.close();
      throw error;
    }
  }

  close(): void {
    const open = this.#open;
    this.#open = undefined;
    if (open === undefined) return;
    try {
      closeSync(open.fd);
    } catch {
      // The descriptor is gone all the same (close(2)), and each write had its own answer.
    }
  }

  #append(line: string): void {
    for (let tries = 0; tries < maxTries; tries++) {
      const fd = this.#current(Buffer.byteLength(line));
      const bytes = Buffer.from(this.#doubtful && this.#isTorn() ? `\n${line}` : line);
      const written = writeSync(fd, bytes);
      if (written < bytes.length) {
        throw new Error(`only ${written} of ${bytes.length} bytes could be written`);
      }
      // Removed between look and write, by rotations or by hand: nobody will ever read it there.
      const file = fstatSync(fd);
      if (file.nlink > 0 || !file.isFile()) return;
    }
    throw new Error('the file is removed again and again');
  }

  /** A descriptor of the file that has the name now and room for so many bytes. */
  #current(size: number): number {
    let named = this.#stat();
    if (this.#isFull(named, size) && performance.now() >= this.#notBefore) {
      this.#rotate(size);
      named = this.#stat();
    }
    const open = this.#open;
    if (open !== undefined && open.ino === named?.ino && open.dev === named.dev) return open.fd;
    this.close();
    const fd = openOrCreate(this.#path, this.#options.fileMode);
    const { dev, ino } = fstatSync(fd, { bigint: true });
    this.#open = { fd, dev, ino };
    return fd;
  }

  #rotate(size: number): void {
    const { fileMode } = this.#options;
    let lock: FileLock | null = null;
    try {
      lock = tryLock(this.#path, { lockPath: this.#lockPath, fileMode });
      if (lock !== null && this.#isFull(this.#stat(), size)) this.#shift();
      this.#stuck = false;
    } catch (error) {
      this.#notBefore = performance.now() + rotationPauseMs;
      if (!this.#stuck) this.#rotationFailed(error);
      this.#stuck = true;
    } finally {
      lock?.release();
    }
  }

  /** Moves each file on by one, up to the first gap: behind it nothing needs room. */
  #shift(): void {
    const nth = (n: number): string => (n === 0 ? this.#path : `${this.#path}.${n}`);
    let last = 1;
    while (last < this.#options.keep && exists(nth(last))) last++;
    for (let n = last; n > 0; n--) renameSync(nth(n - 1), nth(n));
  }

  #stat(): BigIntStats | undefined {
    return statSync(this.#path, { bigint: true, throwIfNoEntry: false });
  }

  /** A device or a FIFO is never full, and an empty file has room for any line. */
  #isFull(named: BigIntStats | undefined, size: number): boolean {
    if (named === undefined || !named.isFile() || named.size === 0n) return false;
    return Number(named.size) + size > this.#options.maxBytes;
  }

  /** Does it end within a line? */
  #isTorn(): boolean {
    const size = this.#stat()?.size ?? 0n;
    if (size === 0n) return false;
    const fd = openSync(this.#path, O_RDONLY | nonBlocking);
    try {
      const last = Buffer.alloc(1);
      return readSync(fd, last, 0, 1, size - 1n) === 1 && last.toString() !== '\n';
    } finally {
      closeSync(fd);
    }
  }
}

/**
 * Without O_CREAT first, for with fs.protected_regular that fails on another user's file in a sticky
 * folder (proc_sys_fs(5)). The mode is what was asked for, whatever the umask.
 */
function openOrCreate(path: string, mode: number): number {
  for (let tries = 0; ; tries++) {
    try {
      return openSync(path, appending);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    }
    try {
      const fd = openSync(path, appending | O_CREAT | O_EXCL, mode);
      fchmodSync(fd, mode);
      return fd;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST' || tries >= maxTries) throw error;
    }
  }
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown }).code;
}
