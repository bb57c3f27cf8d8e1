/**
 * The record of a lease, `NAME.lock`: who holds it, since when, and until when.
 *
 * It is one line of JSON whose beginning has a fixed length, byte for byte:
 *
 *   {"holdfast":1,"crc":"xxxxxxxx","token":"dddddddddddddddddddd","id":"hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh",
 *   "expires":NNNNNNNNNNNNNNNN,"deadline":NNNNNNNNNNNNNNNN,
 *
 * (without the break), so that native code can stamp a token into it and compare token and id without
 * understanding JSON, and so that a renewal is one write of the same length in place. Numbers are
 * padded with blanks on the right. What follows may be of any length and may have more fields than
 * are known here; a renewal keeps them.
 */
import {
  beginsEnvelope,
  corrupt,
  crcLength,
  crcOffset,
  maxSize,
  seal,
  stamp,
  unseal,
  type NotReadable,
} from './envelope.js';
import { isCount, isMoment, isText, orNull, timedSchema, wrongField } from './fields.js';
import type { Schema, Timed } from './fields.js';
import { shorten, type HolderInfo } from './owner.js';

/** Offsets and lengths in bytes; `native/` relies on them. */
export const layout = Object.freeze({
  crc: crcOffset,
  crcLength,
  /** Decimal digits, padded with zeros. */
  token: 40,
  tokenLength: 20,
  /** Hexadecimal digits, lower case. */
  id: 68,
  idLength: 32,
  expires: 112,
  deadline: 140,
  numberLength: 16,
  /** Where the part of variable length begins. */
  headerLength: 157,
  /** From the token to the end of the id: equal in both means that this is the same grant. */
  identity: Object.freeze({ start: 40, end: 100 }),
  maxSize,
});

/** Whatever JSON can say. */
export type Json =
  string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** The longest name, in UTF-16 units. */
export const longestName = 4096;

/** `meta`, written as JSON, has at most so many bytes. */
export const maxMetaSize = 4096;

/** A lease as its record tells it. */
export interface LeaseRecord extends Timed {
  /** The fencing token; 0 until it is granted. */
  readonly token: bigint;
  /** 32 hexadecimal digits, another one for each grant. */
  readonly id: string;
  /** The true name; the one of the file may be cut. */
  readonly name: string;
  /** Lives with its process, or outlives it. */
  readonly kind: 'attached' | 'detached';
  /** When it was granted, by the wall clock of the holder, in milliseconds since 1970. */
  readonly acquiredAt: number;
  readonly owner: string;
  readonly pid: number;
  /** When the process began, in milliseconds since 1970; null: unknown. */
  readonly startedAt: number | null;
  /** For people; cut when long. */
  readonly host: string;
  readonly command: string;
  /** What the user added. */
  readonly meta?: Json;
}

/** What the bytes of a record turn out to be. */
export type ParsedRecord = { readonly state: 'valid'; readonly record: LeaseRecord } | NotReadable;

const maxToken = 2n ** 64n - 1n;

const schema: Schema<LeaseRecord> = {
  ...timedSchema,
  token: (value) => typeof value === 'bigint' && value >= 0n && value <= maxToken,
  id: (value) => typeof value === 'string' && /^[0-9a-f]{32}$/.test(value),
  name: (value) => isText(longestName, 1)(value) && !String(value).includes('\0'),
  kind: (value) => value === 'attached' || value === 'detached',
  acquiredAt: isMoment,
  owner: isText(1024, 1),
  pid: isCount,
  startedAt: orNull(isMoment),
  host: isText(1024),
  command: isText(1024),
  meta: (value) => value === undefined || jsonSize(value) <= maxMetaSize,
};

/**
 * The bytes of a record. `host` and `command` are cut to what people need.
 *
 * @throws {RangeError} a field that {@link parseRecord} would not take back, which it names.
 * @throws {TypeError} `meta` that JSON cannot say: a cycle, a bigint, a function.
 */
export function encodeRecord(given: LeaseRecord): Buffer {
  // One by one: V8 copies the rest of a destructured object, and adds fields to a spread, in a slow way.
  const { token, id, expires, deadline, name, kind, ttl, bootId, timeNamespace } = given;
  const { acquiredAt, owner, pid, startedAt, meta } = given;
  const host = shorten(given.host);
  const command = shorten(given.command);
  // prettier-ignore
  check({
    token, id, expires, deadline, name, kind, ttl, bootId, timeNamespace, acquiredAt, owner, pid, startedAt, host,
    command, meta,
  }, schema);
  // prettier-ignore
  const fields = {
    name, kind, ttl, bootId, timeNamespace, acquiredAt, owner, pid, startedAt, host, command, meta,
  };
  return seal(header(given) + JSON.stringify(fields).slice(1));
}

/**
 * What these bytes say. Never throws, whatever they are; and what it calls valid is what was encoded,
 * however the file was damaged since (but for one accident in 2^32).
 */
export function parseRecord(bytes: Uint8Array): ParsedRecord {
  const unsealed = unseal(bytes);
  if (unsealed.state !== 'open') return unsealed;
  try {
    const record = pick(unsealed.fields);
    // Native code reads the header by its offsets; a second "id" further on must not say otherwise.
    const agrees = unsealed.text.startsWith(header(record), headerStart);
    if (agrees && wrongField(record, schema) === undefined) return { state: 'valid', record };
  } catch {
    // A token that is no number; `meta` nested beyond what the stack can take.
  }
  return corrupt('schema');
}

/**
 * The record with another end, in as many bytes; nothing else changes, not even fields that are
 * unknown here. `bytes` stays as it is. They are a valid record, and the caller knows that: it wrote
 * them, or has parsed them. To check it again would cost more than all the rest of a renewal.
 *
 * @throws {TypeError} `bytes` does not even begin as a record.
 * @throws {RangeError} `expires` or `deadline` does not fit the record; null belongs to no TTL.
 */
export function withExpiry(
  bytes: Buffer,
  { expires, deadline }: Pick<LeaseRecord, 'expires' | 'deadline'>,
): Buffer {
  if (!beginsEnvelope(bytes) || bytes.length < layout.headerLength) {
    throw new TypeError('only a valid record can be renewed');
  }
  const host = { bootId: null, timeNamespace: null };
  check({ ttl: isEndless(bytes) ? null : 1, expires, deadline, ...host }, timedSchema);
  const renewed = Buffer.from(bytes);
  renewed.write(padded(expires), layout.expires, 'latin1');
  renewed.write(padded(deadline), layout.deadline, 'latin1');
  return stamp(renewed);
}

/** Is it a record without a TTL? Of one that is damaged, the beginning decides. */
export function isEndless(bytes: Buffer): boolean {
  const end = bytes.toString('latin1', layout.expires, layout.expires + 'null'.length);
  return beginsEnvelope(bytes) && end === 'null';
}

/** The part that stays the same as long as it is the same grant. */
export function identityOf(bytes: Buffer): Buffer {
  return bytes.subarray(layout.identity.start, layout.identity.end);
}

/** The holder that a record names, as errors and `inspect` show it. */
export function recordHolder(record: LeaseRecord): HolderInfo {
  const { owner, pid, startedAt, host, command, acquiredAt } = record;
  const started = startedAt === null ? null : new Date(startedAt);
  return { owner, pid, startedAt: started, host, command, since: new Date(acquiredAt) };
}

const headerStart = crcOffset + crcLength + '",'.length;

/** From the token to where the length begins to vary. */
function header({ token, id, expires, deadline }: LeaseRecord): string {
  const digits = String(token).padStart(layout.tokenLength, '0');
  return `"token":"${digits}","id":"${id}","expires":${padded(expires)},"deadline":${padded(deadline)},`;
}

function padded(value: number | null): string {
  return String(value).padEnd(layout.numberLength);
}

/** The fields that are known, and only those; none is checked yet. */
function pick(fields: Readonly<Record<string, unknown>>): LeaseRecord {
  // One by one, as in encodeRecord.
  const { id, expires, deadline, name, kind, ttl, bootId, timeNamespace, acquiredAt } = fields;
  const { owner, pid, startedAt, host, command, meta } = fields;
  const token = BigInt(String(fields['token']));
  // prettier-ignore
  const record = {
    token, id, expires, deadline, name, kind, ttl, bootId, timeNamespace, acquiredAt, owner, pid, startedAt, host,
    command,
  } as LeaseRecord;
  return Object.hasOwn(fields, 'meta') ? { ...record, meta: meta as Json } : record;
}

function check<T extends Timed>(fields: T, schema: NoInfer<Schema<T>>): void {
  const wrong = wrongField(fields, schema);
  if (wrong !== undefined) throw new RangeError(`a record cannot have this ${wrong}`);
}

function jsonSize(value: unknown): number {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) throw new TypeError('meta must be something that JSON can say');
  return Buffer.byteLength(text);
}
