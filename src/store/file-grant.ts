/** A lease that the file store granted. */
import type { Now } from '../expiry.js';
import type { LeaseInfo } from '../lease-info.js';
import { dropHandle, type Handle } from '../native.js';
import type { PreviousLease } from '../previous.js';
import { withExpiry, type LeaseRecord } from '../record.js';
import type { LeaseFiles } from '../transaction.js';
import { endAfter, RecordGrant } from './grant.js';

/** What a grant is made of. */
export interface GrantParts {
  readonly files: LeaseFiles;
  readonly record: LeaseRecord;
  readonly token: bigint;
  /** The record as it was written last. */
  readonly bytes: Buffer;
  /** Holds the lock on the record's inode, if attached. */
  readonly handle?: Handle | undefined;
  readonly since: number;
  /** Its end is on the medium before it is answered; a detached one's always. */
  readonly durable?: boolean;
}

export class FileGrant extends RecordGrant {
  readonly files: LeaseFiles;
  readonly durable: boolean;
  readonly pid: number;
  bytes: Buffer;
  handle: Handle | undefined;
  /** The descriptor of {@link handle}, which a renewal on a thread of its own takes along for its time. */
  lent: number | undefined;
  /** A release failed, somewhere between removing the record and syncing the folder. */
  half = false;

  constructor(
    { files, record, token, bytes, handle, since, durable = false }: GrantParts,
    previous: PreviousLease | null = null,
    broken: LeaseInfo | null = null,
  ) {
    super(record, token, since, previous, broken);
    this.files = files;
    this.durable = durable || this.detached;
    this.pid = record.pid;
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
