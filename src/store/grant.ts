/** What a store keeps of a lease that it granted, and what it writes and reads: the same for all stores. */
import { LockError } from '../errors.js';
import type { Now } from '../expiry.js';
import { encodeFreeze, type ParsedFreeze } from '../freeze.js';
import type { LeaseInfo } from '../lease-info.js';
import type { PreviousLease } from '../previous.js';
import { encodeRecord, recordHolder } from '../record.js';
import type { Json, LeaseRecord, ParsedRecord } from '../record.js';
import type { Attempt, Grant, Owner } from './store.js';

/** As the kind of a store's own grants. @throws {TypeError} it is another's */
export function grantOf<T extends Grant>(
  kind: abstract new (...args: never[]) => T,
  grant: Grant,
): T {
  if (grant instanceof kind) return grant;
  throw new TypeError('the grant is of another store');
}

/** What its record says of it. */
export class RecordGrant implements Grant {
  readonly id: string;
  readonly name: string;
  readonly detached: boolean;
  readonly ttl: number | null;
  readonly acquiredAt: number;
  readonly owner: string;
  readonly meta?: Json;
  expiresAt: number | null;

  constructor(
    record: LeaseRecord,
    readonly token: bigint,
    readonly since: number,
    readonly previous: PreviousLease | null = null,
    readonly broken: LeaseInfo | null = null,
  ) {
    this.id = record.id;
    this.name = record.name;
    this.detached = record.kind === 'detached';
    this.ttl = record.ttl;
    this.acquiredAt = record.acquiredAt;
    this.owner = record.owner;
    if (record.meta !== undefined) this.meta = record.meta;
    this.expiresAt = record.expires;
  }
}

/** The record of an attempt that begins now. The token is stamped in when it is granted. */
export function recordOf(attempt: Attempt, now: Now): LeaseRecord {
  const { id, name, ttl, detached, by, meta } = attempt;
  const { expires, deadline } = endAfter(ttl, detached, now);
  const { bootId, timeNamespace } = readerOf(now);
  const record = {
    token: 0n,
    id,
    name,
    kind: detached ? 'detached' : 'attached',
    ttl,
    expires,
    deadline,
    bootId,
    timeNamespace,
    acquiredAt: now.wallMs,
    owner: by.owner,
    pid: by.pid,
    startedAt: by.startedAt ?? null,
    host: by.host,
    command: by.command,
  } as const;
  return meta === undefined ? record : { ...record, meta };
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

/** A freeze that begins now. */
export function freezeBytes(name: string, ttl: number, { owner }: Owner, now: Now): Buffer {
  const end = { ...endAfter(ttl, true, now), ...readerOf(now) };
  return encodeFreeze({ name, owner, since: now.wallMs, ttl, ...end });
}

/** Whose they are, as far as they can be read. */
export function nameIn(
  record: ParsedRecord | null | undefined,
  freeze: ParsedFreeze | null | undefined,
): string | undefined {
  if (record?.state === 'valid') return record.record.name;
  return freeze?.state === 'valid' ? freeze.freeze.name : undefined;
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

/** What somebody knows of a lease that was granted elsewhere. */
export interface Adoptable extends Pick<Attempt, 'name' | 'id'> {
  readonly token: bigint;
}

/**
 * The record of a detached lease that somebody names by its id and token.
 *
 * @throws {LockError} `ERR_LOCK_CORRUPT`, `ERR_LOCK_NOT_OWNER`: it is another's, or attached
 */
export function adoptable(
  parsed: ParsedRecord,
  { name, id, token }: Adoptable,
  path?: string,
): LeaseRecord {
  if (parsed.state !== 'valid') {
    throw new LockError('ERR_LOCK_CORRUPT', `the record of ${name} cannot be read`, { path });
  }
  const { record } = parsed;
  const refuse = (why: string): LockError => {
    const holder = recordHolder(record);
    return new LockError('ERR_LOCK_NOT_OWNER', `the lease ${name} ${why}`, { path, holder });
  };
  if (record.name !== name || record.id !== id || record.token !== token) {
    throw refuse(`is somebody else's, with token ${record.token}`);
  }
  if (record.kind === 'attached') {
    throw refuse('is attached: it lives and ends with its process');
  }
  return record;
}
