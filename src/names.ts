/**
 * From the name of a lease to the name of its files, and back.
 *
 * Two names must never share a file, on no disk: one may fold case, another may normalise Unicode, a
 * third reserves `con`. So only `[a-z0-9._-]` stands for itself; every other byte of the UTF-8 form
 * becomes `%hh`. A leading or trailing dot and the first letter of a device name are encoded as well.
 * A suffix such as `.lock` is added by the caller; the last suffix of a file tells which it is.
 *
 * What grows beyond 200 characters is cut, and a hash stands for the whole: `beginning%-hash`. No
 * other name has a `%` that is not followed by two hexadecimal digits, so the two kinds never meet.
 */

/** The longest result, in bytes (it is ASCII); file names may have 255 with the suffix. */
export const longestFileName = 200;

const mark = '%-';
const hashDigits = 40; // 160 bits: a collision would have to be sought, and the record has the name
const plain = /^[a-z0-9_-](?:[a-z0-9._-]*[a-z0-9_-])?$/;
const safe = /[a-z0-9._-]/;
const encodedForm = /^(?:[a-z0-9._-]|%[0-9a-f]{2})+$/;
const shortenedForm = /^(?:[a-z0-9._-]|%[0-9a-f]{2})+%-[0-9a-f]{40}$/;
/** Windows: with or without an extension; the superscript digits are encoded anyway. */
const device = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/;

/**
 * The file name for a lease name, without suffix: ASCII, lower case, 1 to 200 characters, another
 * one for every other name.
 *
 * @throws {TypeError} not a string, empty, or with a NUL.
 *
 * @example
 * fileName('Deploy/EU'); // '%44eploy%2f%45%55'
 */
export function fileName(name: string): string {
  checkName(name);
  const whole = encode(name);
  if (whole.length <= longestFileName) return whole;
  // Loaded for the few that are so long, not for everybody who imports this library.
  const { createHash } = process.getBuiltinModule('node:crypto');
  // Of the encoded form: the UTF-8 of a lone surrogate is that of any other.
  const hash = createHash('sha256').update(whole).digest('hex').slice(0, hashDigits);
  const room = longestFileName - mark.length - hashDigits;
  return whole.slice(0, room).replace(/%[0-9a-f]?$/, '') + mark + hash;
}

/**
 * The name that this is the file name of (without suffix). Undefined for a name that was cut, which
 * only the record knows, and for a file that is none of ours.
 *
 * @example
 * nameOf('%44eploy%2f%45%55'); // 'Deploy/EU'
 */
export function nameOf(file: string): string | undefined {
  if (file.length > longestFileName || !encodedForm.test(file)) return undefined;
  const name = decode(file);
  // One name has one form; whatever else decodes to it was not written by us.
  return !name.includes('\0') && encode(name) === file ? name : undefined;
}

/** Is it the file name of a name that was cut? */
export function isShortened(file: string): boolean {
  return file.length <= longestFileName && shortenedForm.test(file);
}

/** Throws the TypeError of {@link fileName}. */
export function checkName(name: unknown): asserts name is string {
  if (typeof name !== 'string') throw new TypeError('the name must be a string');
  if (name === '') throw new TypeError('the name must not be empty');
  if (name.includes('\0')) throw new TypeError('the name must not contain NUL');
}

function encode(name: string): string {
  if (plain.test(name) && !device.test(name)) return name;
  let encoded = '';
  for (const character of name) encoded += safe.test(character) ? character : percent(character);
  encoded = encoded.replace(/^\.|\.$/g, '%2e');
  return device.test(encoded) ? percent(encoded.slice(0, 1)) + encoded.slice(1) : encoded;
}

function percent(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const bytes = isSurrogate(code) ? threeBytes(code) : Buffer.from(character);
  return Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
}

/** Half a pair has no UTF-8. By the same rule it would be this, which no other character is. */
function threeBytes(code: number): number[] {
  return [0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)];
}

function isSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdfff;
}

/** What is not UTF-8 becomes U+FFFD, except for lone surrogates. */
function decode(file: string): string {
  const bytes = file.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  // Every second part is a lone surrogate in three bytes: no UTF-8 has these.
  const parts = bytes.split(/(\xed[\xa0-\xbf][\x80-\xbf])/).map((part, index) => {
    const raw = Buffer.from(part, 'latin1');
    if (index % 2 === 0) return raw.toString();
    const [, second = 0, third = 0] = raw;
    return String.fromCharCode(0xd000 | ((second & 0x3f) << 6) | (third & 0x3f));
  });
  return parts.join('');
}
