/** A lease that the file store granted, and the records that it writes. */
import type { Now } from '../expiry.js';
import type { LeaseInfo } from '../lease-info.js';
import { dropHandle, type Handle } from '../native.js';
import type { PreviousLease } from '../previous.js';
import { encodeRecord, withExpiry, type Json, type LeaseRecord } from '../record.js';
import type { LeaseFiles } from '../transaction.js';
import type { Attempt, Grant } from './store.js';

/** What a grant is made of. */
export interface GrantParts {
  readonly files: LeaseFiles;
  readonly record: LeaseRecord;
  readonly token: bigint;
  /** The record as it was written last. */
  readonly bytes: Buffer;
  /** Holds the lock on the record's inode, if attached. */
  readonly handle?: Handle | undefined;
  readonly previous?: PreviousLease | null;
  readonly broken?: LeaseInfo | null;
  readonly since: number;
  /** Its end is on the medium before it is answered; a detached one's always. */
  readonly durable?: boolean;
}

export class FileGrant implements Grant {
  readonly files: LeaseFiles;
  readonly id: string;
  readonly name: string;
  readonly token: bigint;
  readonly detached: boolean;
  readonly durable: boolean;
  readonly ttl: number | null;
  readonly acquiredAt: number;
  readonly owner: string;
  readonly pid: number;
  readonly meta?: Json;
  readonly previous: PreviousLease | null;
  readonly broken: LeaseInfo | null;
  readonly since: number;
  expiresAt: number | null;
  bytes: Buffer;
  handle: Handle | undefined;
  /** The descriptor of {@link handle}, which a renewal on a thread of its own takes along for its time. */
  lent: number | undefined;
  /** A release failed, somewhere between removing the record and syncing the folder. */
  half = false;

  constructor({ files, record, token, bytes, handle, since, ...rest }: GrantParts) {
    const { previous = null, broken = null, durable = false } = rest;
    this.files = files;
    this.id = record.id;
    this.name = record.name;
    this.token = token;
    this.detached = record.kind === 'detached';
    this.durable = durable || this.detached;
    this.ttl = record.ttl;
    this.acquiredAt = record.acquiredAt;
    this.owner = record.owner;
    this.pid = record.pid;
    if (record.meta !== undefined) this.meta = record.meta;
    this.previous = previous;
    this.broken = broken;
    this.since = since;
    this.expiresAt = record.expires;
    this.bytes = bytes;
    this.handle = handle;
  }

  /** Gives up liveness: to everybody else the holder is dead from now on. */
  close(): void {
    if (this.handle !== undefined) dropHandle(this.handle);
    this.handle = undefined;
  }

  /** The bytes of a record that is good for another TTL. */
  renewed(bytes: Buffer, now: Now): { bytes: Buffer; expires: number | null } {
    const end = endAfter(this.ttl, this.detached, now);
    return { bytes: withExpiry(bytes, end), expires: end.expires };
  }
}

/** The record of an attempt that begins now. The token is stamped in when it is granted. */
export function recordOf({ id, name, ttl, detached, by, meta }: Attempt, now: Now): LeaseRecord {
  return {
    token: 0n,
    id,
    name,
    kind: detached ? 'detached' : 'attached',
    ttl,
    ...endAfter(ttl, detached, now),
    ...readerOf(now),
    acquiredAt: now.wallMs,
    owner: by.owner,
    pid: by.pid,
    startedAt: by.startedAt ?? null,
    host: by.host,
    command: by.command,
    ...(meta === undefined ? {} : { meta }),
  };
}

/** The same lease, detached. */
export function detachedRecord(
  attached: LeaseRecord,
  ttl: number,
  now: Now,
): { record: LeaseRecord; bytes: Buffer } {
  const end = endAfter(ttl, true, now);
  const record: LeaseRecord = { ...attached, kind: 'detached', ttl, ...end, ...readerOf(now) };
  return { record, bytes: encodeRecord(record) };
}

/**
 * When a TTL that begins now is over. The deadline is by the clock that runs while the holder could:
 * monotonic for one that sleeps with its host, boot time for one that does not live in a process. By an
 * injected clock there is none.
 */
export function endAfter(
  ttl: number | null,
  detached: boolean,
  now: Now,
): { expires: number | null; deadline: number | null } {
  if (ttl === null) return { expires: null, deadline: null };
  const expires = now.wallMs + ttl;
  if (now.injected) return { expires, deadline: null };
  // Up: a TTL is never cut short by a fraction of a millisecond.
  return { expires, deadline: Math.ceil(detached ? now.boottimeMs : now.monotonicMs) + ttl };
}

/** Whose clocks the deadline was read from. */
export function readerOf({ injected, bootId, timeNamespace }: Now): {
  bootId: string | null;
  timeNamespace: string | null;
} {
  return injected ? { bootId: null, timeNamespace: null } : { bootId, timeNamespace };
}
