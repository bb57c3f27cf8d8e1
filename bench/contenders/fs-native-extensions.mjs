/**
 * fs-native-extensions: locks of open file descriptions (fcntl(2)) on a descriptor of the user's, who
 * opens and closes it. It waits on a thread of its own, after an attempt that costs none.
 *
 * `?open=kept` opens the file once: fewer system calls, but then two tasks of one process share the
 * description, and both are let in.
 */
import { closeSync, openSync } from 'node:fs';

import native from 'fs-native-extensions';

import { keptPairs, keptSyncPairs, pairs, syncPairs } from '../lib/pairs.mjs';

const kept = new URL(import.meta.url).searchParams.get('open') === 'kept';

export const can = { sync: true, waits: 'on a thread', processes: true, excludes: true, kept };

const lock = (fd) => (native.tryLock(fd) ? undefined : native.waitForLock(fd));

export async function acquire(file) {
  const fd = openSync(file, 'r+');
  const waited = lock(fd);
  if (waited !== undefined) await waited;
  return fd;
}
export const release = (fd) => closeSync(fd);

const unlock = (fd) => native.unlock(fd);
export const lockRelease = kept ? keptPairs(lock, unlock) : pairs(acquire, release);
export const tryRelease = kept
  ? keptSyncPairs((fd) => native.tryLock(fd), unlock)
  : syncPairs((file) => {
      const fd = openSync(file, 'r+');
      native.tryLock(fd);
      return fd;
    }, release);
