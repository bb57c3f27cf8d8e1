/**
 * fs-ext: flock(2) on a descriptor of the user's, who opens and closes it. It waits in libuv's pool.
 *
 * `?open=kept` opens the file once: fewer system calls, but then two tasks of one process share the
 * description, and both are let in.
 */
import { closeSync, openSync } from 'node:fs';
import { promisify } from 'node:util';

import fsExt from 'fs-ext';

import { keptPairs, keptSyncPairs, pairs, syncPairs } from '../lib/pairs.mjs';

const kept = new URL(import.meta.url).searchParams.get('open') === 'kept';

export const can = { sync: true, waits: "in libuv's pool", processes: true, excludes: true, kept };

const flock = promisify(fsExt.flock);
const lock = (fd) => flock(fd, 'ex');
const tryLock = (fd) => fsExt.flockSync(fd, 'exnb');

export async function acquire(file) {
  const fd = openSync(file, 'r');
  await lock(fd);
  return fd;
}
export const release = (fd) => closeSync(fd);

export const lockRelease = kept
  ? keptPairs(lock, (fd) => flock(fd, 'un'))
  : pairs(acquire, release);
export const tryRelease = kept
  ? keptSyncPairs(tryLock, (fd) => fsExt.flockSync(fd, 'un'))
  : syncPairs((file) => {
      const fd = openSync(file, 'r');
      tryLock(fd);
      return fd;
    }, release);
