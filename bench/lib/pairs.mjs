/**
 * Loops of lock and release, made of a contender's verbs. They add a function call to what is
 * measured, and an `await` only where there is a promise to wait for.
 */
import { closeSync, openSync } from 'node:fs';

export function pairs(acquire, release) {
  return async (file, times) => {
    for (let i = 0; i < times; i++) {
      const released = release(await acquire(file));
      if (released !== undefined) await released;
    }
  };
}

export function syncPairs(tryAcquire, release) {
  return (file, times) => {
    for (let i = 0; i < times; i++) release(tryAcquire(file));
  };
}

/** The same for those who lock a descriptor, on one that stays open. */
export function keptPairs(lock, unlock) {
  return async (file, times) => {
    const fd = openSync(file, 'r+');
    for (let i = 0; i < times; i++) {
      const locked = lock(fd);
      if (locked !== undefined) await locked;
      const unlocked = unlock(fd);
      if (unlocked !== undefined) await unlocked;
    }
    closeSync(fd);
  };
}

export function keptSyncPairs(tryLock, unlock) {
  return (file, times) => {
    const fd = openSync(file, 'r+');
    for (let i = 0; i < times; i++) {
      tryLock(fd);
      unlock(fd);
    }
    closeSync(fd);
  };
}
