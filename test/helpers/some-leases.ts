/** Leases for tests, in a folder of the test's own; and a clock that moves only when it is told to. */
import { join } from 'node:path';
import type { Test } from 'tap';

import { Leases, type Lease, type LeasesOptions, type TryAcquireOptions } from '../../lib/index.js';

/** The first of a test: it makes the folder. More in the same one: `new Leases({ dir: location })`. */
export function someLeases(t: Test, options: LeasesOptions = {}): Leases {
  return new Leases({ dir: join(t.testdir(), 'leases'), owner: 'alice', ...options });
}

/** Takes what must be free. */
export async function mustTake(
  leases: Leases,
  name = 'build',
  options?: TryAcquireOptions,
): Promise<Lease> {
  const lease = await leases.tryAcquire(name, options);
  if (lease === null) throw new Error(`${name} is held`);
  return lease;
}

/** It can be had, at this moment. */
export async function isFree(leases: Leases, name = 'build'): Promise<boolean> {
  const lease = await leases.tryAcquire(name);
  await lease?.release();
  return lease !== null;
}

/** What it is rejected with, or undefined. */
export function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

/** A wall clock in the hand of the test. */
export class HandClock {
  ms = 1_700_000_000_000;

  now(): number {
    return this.ms;
  }
}

/** Real time, where nothing else will do. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Until it is so; fails when it takes longer than anything should. */
export async function until(so: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!(await so())) {
    if (performance.now() > deadline) throw new Error(`in vain: ${what}`);
    await pause(2);
  }
}
