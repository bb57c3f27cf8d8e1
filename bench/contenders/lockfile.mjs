/** lockfile: a file that is created with O_EXCL, and is polled for. */
import { promisify } from 'node:util';

import lockfile from 'lockfile';

import { pairs, syncPairs } from '../lib/pairs.mjs';

export const can = { sync: true, waits: 'polls every 2 ms', processes: true, excludes: true };

const lock = promisify(lockfile.lock);
const unlock = promisify(lockfile.unlock);

export async function acquire(file) {
  const path = `${file}.lock`;
  // It keeps what it is given: the options have to be new ones.
  await lock(path, { wait: 3_600_000, pollPeriod: 2 });
  return path;
}
export const release = (path) => unlock(path);
export const lockRelease = pairs(acquire, release);
export const tryRelease = syncPairs(tryAcquire, (path) => lockfile.unlockSync(path));

function tryAcquire(file) {
  const path = `${file}.lock`;
  lockfile.lockSync(path);
  return path;
}
