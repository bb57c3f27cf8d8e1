/**
 * holdfast as a contender.
 *
 * A contender's module exports what it can do; the loops are its own, so that nothing of the
 * benchmark is measured along with them:
 *
 *   tryRelease(file, form, times)           try + release, synchronous
 *   lockRelease(file, form, times)          lock + release, asynchronous
 *   acquire(file), release(held)            one lock, waiting for it as long as it takes
 *   leaseLoop(file, form, times)            a lease, granted and released; or renewed
 *   acquireLease(file), releaseLease(lease) one lease, waiting for it as long as it takes
 *
 * `form` is 'bare' (the file itself is locked) or 'sidecar' (a file beside it); of leases, which have a
 * folder beside the file, 'attached', 'detached' (and durable) or 'renew'.
 */
import { Leases, lock, tryLock } from '../../lib/index.js';

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

const leaseOptions = { attached: {}, detached: { detached: true, ttl: '1h' } };
const leasesOf = (file) => new Leases({ dir: `${file}.leases` });

export async function leaseLoop(file, form, times) {
  const leases = leasesOf(file);
  if (form !== 'renew') {
    const o = leaseOptions[form];
    for (let i = 0; i < times; i++) await (await leases.acquire('bench', o)).release();
    return;
  }
  const lease = await leases.acquire('bench', { ttl: '1h', renew: false });
  for (let i = 0; i < times; i++) await lease.renew();
  await lease.release();
}

export const acquireLease = (file) => leasesOf(file).acquire('bench');
export const releaseLease = (lease) => lease.release();
