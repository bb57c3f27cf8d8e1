/**
 * The freeze of a name, `NAME.freeze`: until it ends nobody new is granted the lease; whoever holds
 * it goes on. The file is an envelope like that of a record; it is only ever replaced as a whole.
 */
import { corrupt, seal, unseal } from './envelope.js';
import type { NotReadable } from './envelope.js';
import { isMoment, isText, timedSchema, wrongField } from './fields.js';
import type { Schema, Timed } from './fields.js';

/** A freeze as its file tells it. `deadline` is by the boot-time clock: it outlives its process. */
export interface FreezeRecord extends Timed {
  readonly name: string;
  readonly owner: string;
  /** Since when, by the wall clock of who froze it, in milliseconds since 1970. */
  readonly since: number;
}

/** What the bytes of a freeze turn out to be. */
export type ParsedFreeze = { readonly state: 'valid'; readonly freeze: FreezeRecord } | NotReadable;

const schema: Schema<FreezeRecord> = {
  ...timedSchema,
  ttl: (value) => value !== null && timedSchema.ttl(value), // a freeze always ends
  name: (value) => isText(4096, 1)(value) && !String(value).includes('\0'),
  owner: isText(1024, 1),
  since: isMoment,
};

/**
 * The bytes of a freeze.
 *
 * @throws {RangeError} a field that {@link parseFreeze} would not take back, which it names.
 */
export function encodeFreeze(freeze: FreezeRecord): Buffer {
  const wrong = wrongField(freeze, schema);
  if (wrong !== undefined) throw new RangeError(`a freeze cannot have this ${wrong}`);
  const { name, owner, since, ttl, expires, deadline, bootId, timeNamespace } = freeze;
  const fields = { name, owner, since, ttl, expires, deadline, bootId, timeNamespace };
  return seal(JSON.stringify({ kind: 'freeze', ...fields }).slice(1));
}

/** What these bytes say. Never throws. */
export function parseFreeze(bytes: Uint8Array): ParsedFreeze {
  const unsealed = unseal(bytes);
  if (unsealed.state !== 'open') return unsealed;
  const { kind, name, owner, since, ttl, expires, deadline, bootId, timeNamespace } =
    unsealed.fields;
  const fields = { name, owner, since, ttl, expires, deadline, bootId, timeNamespace };
  const freeze = fields as FreezeRecord;
  const sound = kind === 'freeze' && wrongField(freeze, schema) === undefined;
  return sound ? { state: 'valid', freeze } : corrupt('schema');
}
