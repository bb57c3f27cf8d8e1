/**
 * Reads the clocks: the only place where leases get the time from.
 *
 * On Linux each time namespace has zeros of its own for the monotonic and the boot-time clock. What
 * it adds to those of the host stands in /proc/self/timens_offsets (time_namespaces(7)); taken off,
 * the processes of all namespaces read the same. Where it cannot be read, the name of the namespace
 * says that a reading means something only within it.
 */
import { readFileSync, readlinkSync } from 'node:fs';

import { systemClock, wallTime, type Clock } from './clock.js';
import type { Now } from './expiry.js';
import { addon } from './native.js';

/** From the zero of `performance.now()` to that of the boot-time clock, if the host never slept. */
const boottimeAhead = addon.bootClock()[1] - performance.now();

/**
 * The clock that a holder measures its TTL by, in milliseconds: an injected one, else `performance.now()`,
 * and for a lease that outlives its process what the host has slept since, as its deadline counts.
 */
export function holderTime(injected: Clock | undefined, detached: boolean): number {
  if (injected !== undefined) return wallTime(injected);
  return detached ? addon.bootClock()[1] - boottimeAhead : performance.now();
}

/** For records that nobody judges by their deadlines: they have none. */
export function wallClock(): Now {
  return readClocks(systemClock);
}

interface Zeros {
  readonly bootId: string | null;
  readonly timeNamespace: string | null;
  readonly monotonicMs: number;
  readonly boottimeMs: number;
}

let zeros: Zeros | undefined;

/** All clocks, now. An injected one takes the place of the wall clock and decides every TTL. */
export function readClocks(injected: Clock | undefined): Now {
  zeros ??= findZeros();
  const { bootId, timeNamespace } = zeros;
  const [monotonicMs, boottimeMs] = addon.bootClock();
  return {
    wallMs: injected === undefined ? Date.now() : wallTime(injected),
    injected: injected !== undefined,
    monotonicMs: monotonicMs - zeros.monotonicMs,
    boottimeMs: boottimeMs - zeros.boottimeMs,
    bootId,
    timeNamespace,
  };
}

function findZeros(): Zeros {
  const identity = addon.bootIdentity();
  const bootId = identity.bootId === '' ? null : identity.bootId;
  const none = { bootId, monotonicMs: 0, boottimeMs: 0 };
  if (identity.timeNamespace === '') return { ...none, timeNamespace: null };
  const offsets = namespaceOffsets();
  if (offsets === undefined) return { ...none, timeNamespace: identity.timeNamespace };
  return { bootId, timeNamespace: 'host', ...offsets };
}

function namespaceOffsets(): Pick<Zeros, 'monotonicMs' | 'boottimeMs'> | undefined {
  try {
    // The offsets are those of our children; after unshare(2) ours may be others.
    const ours = readlinkSync('/proc/self/ns/time');
    if (ours !== readlinkSync('/proc/self/ns/time_for_children')) return undefined;
    const text = readFileSync('/proc/self/timens_offsets', 'utf8');
    const monotonicMs = offsetOf(text, 'monotonic|1');
    const boottimeMs = offsetOf(text, 'boottime|7');
    if (monotonicMs === undefined || boottimeMs === undefined) return undefined;
    return { monotonicMs, boottimeMs };
  } catch {
    return undefined; // no procfs, or a kernel before 5.6
  }
}

/** "monotonic  -5  250000000": seconds and nanoseconds. */
function offsetOf(text: string, clock: string): number | undefined {
  const match = new RegExp(`^(?:${clock})\\s+(-?\\d+)\\s+(\\d+)$`, 'm').exec(text);
  return match === null ? undefined : Number(match[1]) * 1000 + Number(match[2]) / 1e6;
}
