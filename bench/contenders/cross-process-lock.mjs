/**
 * cross-process-lock: looks whether a file is there, and writes it if not. Two that look at the same
 * time are both let in, and so is every task of the process that has it.
 */
import { lock } from 'cross-process-lock';

import { pairs } from '../lib/pairs.mjs';

export const can = {
  sync: false,
  waits: 'polls every 500 ms',
  processes: true,
  excludes: false,
};

export const acquire = (file) => lock(file, { waitTimeout: 3_600_000 });
export const release = (unlock) => unlock();
export const lockRelease = pairs(acquire, release);
