/** What a Mach-O file (macOS; 64 bits, one architecture) says of itself. */

const machines = { 0x01000007: 'x64', 0x0100000c: 'arm64' };
const kinds = { dylib: 6, bundle: 8 };
const command = { symbols: 2, library: 12 };
// The bits of a symbol's type: for debuggers, private, where it is, for others.
const bits = { debug: 0xe0, private: 0x10, place: 0x0e, external: 0x01 };

export const isMachO = (file) => file.readUInt32LE(0) === 0xfeedfacf;

export function readMachO(file) {
  const found = {
    format: 'mach-o',
    arch: machines[file.readUInt32LE(4)],
    library: Object.values(kinds).includes(file.readUInt32LE(12)),
    libraries: [],
    imports: [],
    exports: [],
    versions: [],
    stripped: true,
  };
  let at = 32;
  for (let left = file.readUInt32LE(16); left > 0; left--) {
    const kind = file.readUInt32LE(at);
    if (kind === command.library) found.libraries.push(text(file, at + file.readUInt32LE(at + 8)));
    if (kind === command.symbols) Object.assign(found, symbolsOf(file, at));
    at += file.readUInt32LE(at + 4);
  }
  return found;
}

function symbolsOf(file, at) {
  const [table, count, names] = [8, 12, 16].map((field) => file.readUInt32LE(at + field));
  const imports = [];
  const exports = [];
  let stripped = true;
  for (let entry = table; entry < table + count * 16; entry += 16) {
    const type = file[entry + 4];
    const name = text(file, names + file.readUInt32LE(entry)).replace(/^_/, '');
    if ((type & bits.debug) !== 0 || (type & bits.external) === 0) stripped = false;
    else if ((type & bits.place) === 0) imports.push(name);
    else if ((type & bits.private) === 0) exports.push(name);
  }
  return { imports, exports, stripped };
}

function text(file, at) {
  return file.toString('latin1', at, file.indexOf(0, at));
}
