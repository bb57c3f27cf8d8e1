/** What `holdfast doctor` looks at where leases are not in files. */
import { randomUUID } from 'node:crypto';

import { formatDuration } from '../duration.js';
import { Leases } from '../leases.js';
import type { LeaseStore } from '../store/store.js';
import type { Finding } from './doctor-checks.js';

/** By what they are called; in the order of the report. */
export const storeChecks: Readonly<Record<string, (store: LeaseStore) => Promise<Finding>>> = {
  gateway,
  exclusion,
};

const remedy =
  'see the message; the address, the firewall, and whether a majority of the nodes lives';

/** It answers, which also shows that it speaks JSON and that we are let in. */
async function gateway(store: LeaseStore): Promise<Finding> {
  const start = performance.now();
  await store.inspect('holdfast doctor');
  const text = `${store.location} answers after ${formatDuration(performance.now() - start)}`;
  return { state: 'ok', text };
}

/** One of two attempts is refused, and the next token is higher. */
async function exclusion(store: LeaseStore): Promise<Finding> {
  const leases = new Leases({ store, owner: 'holdfast doctor' });
  const name = `doctor ${randomUUID()}`;
  const first = await leases.acquire(name, { timeout: 0 });
  const second = await leases.tryAcquire(name);
  await first.release();
  if (second !== null) {
    await second.release();
    return { state: 'fail', text: 'two held one lease at the same time', remedy };
  }
  const next = await leases.acquire(name, { timeout: 0 });
  await next.release();
  if (next.token <= first.token) return { state: 'fail', text: 'the token did not rise', remedy };
  const { minTtl } = store.capabilities;
  const ends = `the lease of a crashed holder ends with its TTL, ${formatDuration(minTtl)} at least`;
  return { state: 'ok', text: `one of two attempts is refused; ${ends}` };
}
