/**
 * holdfast as a contender, in one of its forms: `holdfast.mjs?form=FORM`.
 *
 *   sidecar    a file lock, with a file beside the resource that names the holder (the default)
 *   bare       a file lock on the file itself
 *   attached   a lease, which ends with its process
 *   detached   a lease that outlives it, and is on the medium before it counts
 *   renew      renewals of one attached lease, instead of grants
 */
import { Leases, lock, tryLock } from '../../lib/index.bundle.js';
import { pairs, syncPairs } from '../lib/pairs.mjs';

const form = new URL(import.meta.url).searchParams.get('form');
const isLease = form !== 'sidecar' && form !== 'bare';

export const can = {
  sync: !isLease,
  waits: 'in the kernel',
  processes: true,
  excludes: true,
};

const lockOptions = form === 'bare' ? { sidecar: false } : undefined;
const leaseOptions = form === 'detached' ? { detached: true, ttl: '1h' } : {};

/** The folder beside the file; one `Leases` for each, as a program would have. */
const folders = new Map();
export function leasesOf(file) {
  let leases = folders.get(file);
  if (leases === undefined) folders.set(file, (leases = new Leases({ dir: `${file}.leases` })));
  return leases;
}

export const acquire = isLease
  ? (file) => leasesOf(file).acquire('bench', leaseOptions)
  : (file) => lock(file, lockOptions);
export const release = (held) => held.release();
export const lockRelease = form === 'renew' ? renew : pairs(acquire, release);
export const tryRelease = isLease
  ? undefined
  : syncPairs((file) => tryLock(file, lockOptions), release);

async function renew(file, times) {
  const lease = await leasesOf(file).acquire('bench', { ttl: '1h', renew: false });
  for (let i = 0; i < times; i++) await lease.renew();
  await lease.release();
}
