// What can become of a file: bits, bytes and blocks of it, its length, and its contents on purpose.
import { crc32 } from 'node:zlib';

/** The checksum as docs/protocol.md describes it, worked out here. */
export function isWhole(bytes) {
  if (bytes.length < 60 || bytes.at(-1) !== 10 || bytes.indexOf(10) !== bytes.length - 1)
    return false;
  const zeroed = Buffer.from(bytes);
  zeroed.write('00000000', 21, 'latin1');
  return bytes.toString('latin1', 21, 29) === crc32(zeroed).toString(16).padStart(8, '0');
}

function stamped(bytes) {
  if (bytes.length < 60) return bytes;
  bytes.write('00000000', 21, 'latin1');
  bytes.write(crc32(bytes).toString(16).padStart(8, '0'), 21, 'latin1');
  return bytes;
}

/** `seed` is what else a file of this kind may hold: cut and pasted from. */
export function damaged(bytes, random, others) {
  const below = (limit) => Math.floor(random() * limit);
  const copy = Buffer.from(bytes);
  const at = below(copy.length || 1);
  const noise = (length) => Buffer.from(Array.from({ length }, () => below(256)));
  const ways = [
    function flip() {
      for (let bits = 1 + below(4); bits > 0; bits--) {
        const where = below(copy.length);
        copy[where] ^= 1 << below(8);
      }
      return copy;
    },
    function cut() {
      return copy.subarray(0, at);
    },
    function zeros() {
      return copy.fill(0, at, Math.min(copy.length, at + 1 + below(512)));
    },
    function overwrite() {
      noise(1 + below(32)).copy(copy, at);
      return copy;
    },
    function insert() {
      return Buffer.concat([copy.subarray(0, at), noise(1 + below(32)), copy.subarray(at)]);
    },
    function repeat() {
      return Buffer.concat([copy, copy.subarray(at)]);
    },
    function paste() {
      const other = others[below(others.length)];
      return Buffer.concat([copy.subarray(0, at), other.subarray(below(other.length))]);
    },
    function nonsense() {
      return noise(below(600));
    },
    function empty() {
      return Buffer.alloc(0);
    },
    function long() {
      return Buffer.alloc(66_000, copy);
    },
    // A digit or letter changed, with the right checksum: somebody did it on purpose.
    function forge() {
      const text = copy.toString('latin1');
      const digit = () => String(below(10));
      const forged = text.replace(/\d/g, (old, where) =>
        where > 40 && random() < 0.1 ? digit() : old,
      );
      return stamped(Buffer.from(forged, 'latin1'));
    },
  ];
  const way = ways[below(ways.length)];
  return { way: way.name, bytes: copy.length === 0 ? noise(20) : way() };
}
