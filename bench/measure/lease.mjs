/**
 * Leases without contention: grant + release of an attached and of a detached one, and renewals. The
 * floor makes the same system calls in C; that of a detached lease is the least that a durable grant
 * costs, with fewer of them (floor-lease.c). The aims are those of pairs a second: 60 000 where the
 * floor makes 150 000 of an attached lease, and 0.8 times the floor's of a detached one.
 */
import { measureLoop } from '../lib/loop.mjs';

export const title = 'lease';

const rows = [
  { name: 'acquire + release, attached', form: 'attached', aim: { ratio: 2.5 } },
  { name: 'acquire + release, detached', form: 'detached', aim: { ratio: 1.25 }, firstTimes: 50 },
  { name: 'renew, attached', form: 'renew' },
];

export async function measure(bench) {
  const measured = [];
  for (const { name, ...how } of rows) {
    const options = { name: `${title}: ${name}`, loop: 'leaseLoop', ...how };
    measured.push(...(await measureLoop(options, bench)));
  }
  return measured;
}
