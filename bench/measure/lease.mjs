/**
 * Leases without contention: grant and release of an attached and of a durable detached one, and
 * renewals. Beside each is the floor that makes the same system calls in C, and beside the grants
 * the least that such a thing costs: a lock file that is created, locked, written and removed; and one that is
 * synced with its folder before it counts, and then removed (floor-lease.c).
 */
import { measureLoop } from '../lib/loop.mjs';

export const title = 'lease';

const loops = [
  ['lease, attached', 'holdfast lease', { 'C, same calls': 'attached', 'C, lock file': 'file' }],
  ['lease, durable', 'holdfast lease, durable', { 'C, lock file, synced': 'detached' }],
  ['lease, renewal', 'holdfast lease, renewal', { 'C, same calls': 'renew' }],
];

export async function measure(bench) {
  const rows = [];
  for (const [name, of, floors] of loops) {
    const contenders = bench.all.filter((contender) => contender.name === of);
    rows.push(...(await measureLoop(name, 'lockRelease', contenders, floors, bench)));
  }
  return rows;
}
