/** What a DLL of Windows (the PE format; 64 bits) says of itself. */

const machines = { 0x8664: 'x64', 0xaa64: 'arm64' };
const isDll = 0x2000;
const directory = { exports: 0, imports: 1, delayed: 13 };

export const isPe = (file) => file.readUInt16BE(0) === 0x4d5a;

export function readPe(file) {
  const header = file.readUInt32LE(0x3c) + 4;
  const optional = header + 20;
  if (file.readUInt16LE(optional) !== 0x20b) throw new Error('not 64 bits');
  const sections = Array.from({ length: file.readUInt16LE(header + 2) }, (_, index) => {
    const at = optional + file.readUInt16LE(header + 16) + index * 40;
    return {
      address: file.readUInt32LE(at + 12),
      size: file.readUInt32LE(at + 16),
      offset: file.readUInt32LE(at + 20),
    };
  });
  /** Where in the file something lies that is at an address once it is loaded. */
  const place = (address) => {
    const home = sections.find((s) => address >= s.address && address < s.address + s.size);
    if (home === undefined) throw new Error(`nothing at the address ${address}`);
    return home.offset + address - home.address;
  };
  const text = (address) => {
    const at = place(address);
    return file.toString('latin1', at, file.indexOf(0, at));
  };
  const start = (index) => {
    const address = file.readUInt32LE(optional + 112 + index * 8);
    return address === 0 ? undefined : place(address);
  };
  /** The names that one DLL is asked for; numbers instead of names have the highest bit. */
  const names = (thunks) => {
    const found = [];
    for (let at = place(thunks); file.readBigUInt64LE(at) !== 0n; at += 8) {
      const thunk = file.readBigUInt64LE(at);
      found.push(thunk >> 63n ? `#${thunk & 0xffffn}` : text(Number(thunk) + 2));
    }
    return found;
  };
  /** Entries of a table that ends with an empty one. */
  const table = (index, size, nameAt, thunksAt) => {
    const entries = [];
    for (
      let at = start(index);
      at !== undefined && file.readUInt32LE(at + nameAt) !== 0;
      at += size
    ) {
      const library = text(file.readUInt32LE(at + nameAt)).toLowerCase();
      entries.push({ library, names: names(file.readUInt32LE(at + thunksAt)) });
    }
    return entries;
  };

  const now = table(directory.imports, 20, 12, 0);
  const delayed = table(directory.delayed, 32, 4, 16);
  return {
    format: 'pe',
    arch: machines[file.readUInt16LE(header)],
    library: (file.readUInt16LE(header + 18) & isDll) !== 0,
    libraries: now.map(({ library }) => library),
    delayed: delayed.map(({ library }) => library),
    imports: [...now, ...delayed].flatMap((entry) => entry.names).concat(unlisted(file, delayed)),
    exports: exportsOf(file, start(directory.exports), place, text),
    versions: [],
    stripped: file.readUInt32LE(header + 12) === 0,
  };
}

/**
 * GNU's linker makes delayed imports, but no directory of them: without one, the names of Node-API,
 * and those that Node has beside it, are looked for in the whole file.
 */
function unlisted(file, delayed) {
  if (delayed.length > 0) return [];
  return file.toString('latin1').match(/\b(napi_|node_api_|uv_|_ZNK?2v8)\w+(?=\0)/g) ?? [];
}

function exportsOf(file, at, place, text) {
  if (at === undefined) return [];
  const names = place(file.readUInt32LE(at + 32));
  return Array.from({ length: file.readUInt32LE(at + 24) }, (_, index) =>
    text(file.readUInt32LE(names + index * 4)),
  );
}
