/**
 * What stands at a key of a line: a word, and the record of the lease as it would stand in a file.
 *
 *   waiting         it is in line
 *   held            it was granted
 *   broken NOTE     somebody has taken it away, and ends its lease in a moment
 *
 * The token is not in it: it is where tokens begin and the revision that created the key. Nor is
 * anything judged by the times in it: a key is there for as long as etcd says.
 */
import { LockError } from '../../errors.js';
import { parseRecord, type LeaseRecord, type ParsedRecord } from '../../record.js';
import { RecordGrant } from '../grant.js';
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
  const word = value.subarray(0, Math.max(0, end)).toString();
  return { word, bytes, parsed: parseRecord(bytes) };
}

/** A key that an attempt has in its line, and the lease of etcd that it lives by. */
export interface Placed extends Pick<KeyValue, 'key' | 'created' | 'modified'> {
  readonly record: LeaseRecord;
  readonly token: bigint;
  readonly term: Term;
}

/** Nothing is left in etcd of a lease that is over: of the one before nothing is known. */
export class EtcdGrant extends RecordGrant {
  /** The call that releases it, until it is answered. */
  releasing: string | undefined;
  /** What a detach makes of it, until it is known whether it did. */
  detaching: Placed | undefined;

  constructor(public placed: Placed) {
    super(placed.record, placed.token, placed.term.since);
  }

  get lost(): LockError {
    return new LockError('ERR_LOCK_LOST', `the lease ${this.name} is lost: its time is over`);
  }
}

/** Somebody has taken it away, and ends its lease in a moment. */
export function isBroken(key: KeyValue): boolean {
  return parseEntry(key).word.startsWith('broken');
}
