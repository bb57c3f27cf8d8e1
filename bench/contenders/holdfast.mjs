/**
 * holdfast as a contender.
 *
 * A contender's module exports what it can do; the loops are its own, so that nothing of the
 * benchmark is measured along with them:
 *
 *   tryRelease(file, form, times)           try + release, synchronous
 *   lockRelease(file, form, times)          lock + release, asynchronous
 *   acquire(file), release(held)            one lock, waiting for it as long as it takes
 *
 * `form` is 'bare' (the file itself is locked) or 'sidecar' (a file beside it).
 */
import { lock, tryLock } from '../../lib/index.js';

const options = { bare: { sidecar: false }, sidecar: undefined };

export function tryRelease(file, form, times) {
  const o = options[form];
  for (let i = 0; i < times; i++) tryLock(file, o).release();
}

export async function lockRelease(file, form, times) {
  const o = options[form];
  for (let i = 0; i < times; i++) (await lock(file, o)).release();
}

export const acquire = (file) => lock(file);
export const release = (held) => held.release();
