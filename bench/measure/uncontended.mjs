/**
 * Lock and release without contention, and without a promise where there is such a form. The floors
 * are the six system calls that a lock of the file itself needs (open, fstat, flock, stat, flock,
 * close), and the eleven of one with a sidecar, whose holder reads who was there before, signs in, and
 * signs out again. There is no promise in C: the floors of the promises are the same.
 */
import { measureLoop } from '../lib/loop.mjs';

export const title = 'uncontended';

const floors = { 'C, no sidecar': 'bare', 'C, sidecar': 'sidecar' };

export async function measure(bench) {
  const files = bench.contenders.filter(({ name }) => !name.includes('lease'));
  const sync = files.filter(({ can }) => can.sync);
  return [
    ...(await measureLoop('try + release, sync', 'tryRelease', sync, floors, bench)),
    ...(await measureLoop('lock + release, async', 'lockRelease', files, floors, bench)),
  ];
}
