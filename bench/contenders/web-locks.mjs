/** Node's own locks, `navigator.locks`, where there are any: between the threads of one process. */
import { pairs } from '../lib/pairs.mjs';

export const absent =
  globalThis.navigator?.locks === undefined ? `not in Node ${process.versions.node}` : undefined;

export const can = { sync: false, waits: 'in a queue', processes: false, excludes: true };

export function acquire(file) {
  return new Promise((granted, failed) => {
    const held = () => new Promise((release) => granted(release));
    navigator.locks.request(file, held).catch(failed);
  });
}
export const release = (unlock) => unlock();
export const lockRelease = pairs(acquire, release);
