/**
 * proper-lockfile: a folder beside the file, whose time of change is renewed by a timer.
 *
 * It polls. By default it does not wait at all; a user who wants it to hand over soon asks for polls
 * every few milliseconds, as here. Longer pauses burn less and hand over later.
 */
import lockfile from 'proper-lockfile';

import { pairs, syncPairs } from '../lib/pairs.mjs';

export const can = { sync: true, waits: 'polls every 1 to 5 ms', processes: true, excludes: true };

const retries = { forever: true, minTimeout: 1, maxTimeout: 5, factor: 1.5, randomize: true };

export const acquire = (file) => lockfile.lock(file, { retries });
export const release = (unlock) => unlock();
export const lockRelease = pairs(acquire, release);
export const tryRelease = syncPairs((file) => lockfile.lockSync(file), release);
