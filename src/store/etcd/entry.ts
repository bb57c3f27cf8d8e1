/**
 * What stands at a key of a line: a word, and the record of the lease as it would stand in a file.
 *
 *   waiting         it is in line
 *   held            it was granted
 *   broken BREAK    somebody has taken it away, and ends its lease in a moment
 *
 * The token is not in it: it is where tokens begin and the revision that created the key. Nor is
 * anything judged by the times in it: a key is there for as long as etcd says.
 */
import type { PreviousLease } from '../../previous.js';
import { LockError } from '../../errors.js';
import { parseRecord, type Json, type LeaseRecord, type ParsedRecord } from '../../record.js';
import type { Attempt, Grant } from '../store.js';
import type { KeyValue, Term } from './client.js';

export interface Entry {
  readonly word: string;
  readonly bytes: Buffer;
  readonly parsed: ParsedRecord;
}

export function encodeEntry(word: string, record: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${word}\n`), record]);
}

/** Never throws. What is none of ours holds: nobody can say that it does not. */
export function parseEntry({ value }: KeyValue): Entry {
  const end = value.indexOf('\n');
  const bytes = value.subarray(end + 1);
  return {
    word: value.subarray(0, Math.max(0, end)).toString(),
    bytes,
    parsed: parseRecord(bytes),
  };
}

export function recordOf({ id, name, detached, by, meta }: Attempt, ttl: number): LeaseRecord {
  const wall = Date.now();
  return {
    token: 0n,
    id,
    name,
    kind: detached ? 'detached' : 'attached',
    ttl,
    expires: wall + ttl,
    deadline: null,
    bootId: null,
    timeNamespace: null,
    acquiredAt: wall,
    owner: by.owner,
    pid: by.pid,
    startedAt: by.startedAt ?? null,
    host: by.host,
    command: by.command,
    ...(meta === undefined ? {} : { meta }),
  };
}

export class EtcdGrant implements Grant {
  readonly id: string;
  readonly name: string;
  readonly detached: boolean;
  readonly ttl: number;
  readonly acquiredAt: number;
  readonly owner: string;
  readonly meta?: Json;
  /** Nothing is left in etcd of a lease that is over. */
  readonly previous: PreviousLease | null = null;
  readonly broken = null;
  readonly since: number;
  expiresAt: number;
  /** When the last TTL that etcd granted began, by `now()`. */
  renewed: number;

  constructor(
    readonly record: LeaseRecord,
    readonly token: bigint,
    readonly key: string,
    /** The revision that created the key. */
    readonly created: string,
    readonly term: Term,
  ) {
    this.id = record.id;
    this.name = record.name;
    this.detached = record.kind === 'detached';
    this.ttl = term.ttl;
    this.acquiredAt = record.acquiredAt;
    this.owner = record.owner;
    if (record.meta !== undefined) this.meta = record.meta;
    this.since = term.since;
    this.renewed = term.since;
    this.expiresAt = record.acquiredAt + term.ttl;
  }

  get lost(): LockError {
    return new LockError('ERR_LOCK_LOST', `the lease ${this.name} is lost: its time is over`);
  }
}

/** Somebody has taken it away, and ends its lease in a moment. */
export function isBroken(key: KeyValue): boolean {
  return parseEntry(key).word.startsWith('broken');
}
