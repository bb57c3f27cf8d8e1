/**
 * The envelope of what leases write: one line of JSON that tells its version and proves that it is
 * whole.
 *
 * `{"holdfast":1,"crc":"xxxxxxxx",` comes first, byte for byte, so that native code can stamp a
 * checksum without understanding JSON. It is the CRC-32 of all bytes of the line, the final newline
 * included, with its own digits taken as "00000000". It finds accidents (a torn write, a bad disk),
 * it does not keep out anybody who may write the file.
 */
/** Where the eight digits of the checksum are, in bytes from the beginning. */
export const crcOffset = 21;
export const crcLength = 8;
/** No envelope is longer; whoever reads one need not read more than one byte beyond. */
export const maxSize = 64 * 1024;

const version = 1;
const opening = `{"holdfast":${version},"crc":"`;
const unset = '0'.repeat(crcLength);
/** A newer version keeps at least this of the form, however it is spaced. */
const versioned = /^\s*\{\s*"holdfast"\s*:\s*(\d{1,15})/;
const sidecarMagic = 'holdfast1';
const newline = 0x0a;
const strict = new TextDecoder('utf-8', { fatal: true });

/** Why a file is not an envelope of this version. */
export type Corruption =
  'empty' | 'too large' | 'not a record' | 'truncated' | 'checksum' | 'schema';

/** What else may stand in its place. */
export type NotReadable =
  | { readonly state: 'corrupt'; readonly reason: Corruption }
  /** Written by a later holdfast: somebody holds it, nobody here can judge it. */
  | { readonly state: 'newer'; readonly version: number }
  /** The sidecar of a file lock. */
  | { readonly state: 'sidecar' };

/** An envelope that is whole: its text, and the text parsed. */
export interface Opened {
  readonly state: 'open';
  readonly text: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Does the sidecar of a file lock begin so? */
export function isSidecar(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(0, sidecarMagic.length)).toString('latin1') === sidecarMagic;
}

/** Does it begin as an envelope of this version does? What follows may be damaged. */
export function beginsEnvelope(bytes: Buffer): boolean {
  return bytes.toString('latin1', 0, opening.length) === opening;
}

/** The envelope of these fields: JSON from after the opening brace up to the closing one. */
export function seal(fields: string): Buffer {
  return stamp(Buffer.from(`${opening}${unset}",${fields}\n`));
}

/** Writes the checksum into an envelope that was changed, and returns it. */
export function stamp(bytes: Buffer): Buffer {
  bytes.write(unset, crcOffset, 'latin1');
  bytes.write(checksum(bytes), crcOffset, 'latin1');
  return bytes;
}

/** Opens an envelope, or says why not. Never throws. Keys named `__proto__` are left out. */
export function unseal(bytes: Uint8Array): Opened | NotReadable {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 64)).toString();
  if (isSidecar(bytes)) return { state: 'sidecar' };
  const written = Number(versioned.exec(head)?.[1]);
  if (written > version) return { state: 'newer', version: written };
  if (bytes.length === 0) return corrupt('empty');
  if (bytes.length > maxSize) return corrupt('too large');
  if (!head.startsWith(opening.slice(0, bytes.length))) return corrupt('not a record');
  if (bytes.indexOf(newline) !== bytes.length - 1) return corrupt('truncated');
  return openWhole(bytes);
}

export function corrupt(reason: Corruption): NotReadable {
  return { state: 'corrupt', reason };
}

function openWhole(bytes: Uint8Array): Opened | NotReadable {
  const unstamped = Buffer.from(bytes);
  const digits = unstamped.toString('latin1', crcOffset, crcOffset + crcLength);
  unstamped.write(unset, crcOffset, 'latin1');
  if (digits !== checksum(unstamped)) return corrupt('checksum');
  try {
    const text = strict.decode(bytes);
    const filter = mayNameProto.test(text) ? withoutProto : undefined;
    const fields = JSON.parse(text, filter) as Record<string, unknown>;
    return { state: 'open', text, fields };
  } catch {
    return corrupt('schema'); // the sum is right: somebody wrote this on purpose
  }
}

/** Plain or escaped. To ask for every key takes longer than all the rest of the reading. */
const mayNameProto = /__proto__|\\u/;

/** As data such a key is harmless; merged by a careless program it would not be. */
function withoutProto(key: string, value: unknown): unknown {
  return key === '__proto__' ? undefined : value;
}

/** Of an envelope whose own digits are not set. */
function checksum(bytes: Buffer): string {
  // Loaded where it is needed: for a program that takes file locks alone it would be a good part of
  // what an import of this library costs.
  const { crc32 } = process.getBuiltinModule('node:zlib');
  return crc32(bytes).toString(16).padStart(crcLength, '0');
}
