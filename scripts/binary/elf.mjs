/** What an ELF file (elf(5); 64 bits, little-endian) says of itself. */

const machines = { 62: 'x64', 183: 'arm64' };
const sharedObject = 3;
const section = {
  symbols: 2,
  dynamic: 6,
  dynamicSymbols: 11,
  versionsNeeded: 0x6ffffffe,
  versions: 0x6fffffff,
};
const needed = 1n; // DT_NEEDED
const weak = 2; // STB_WEAK
const nameless = 3; // STT_SECTION
const anyVersion = 1; // VER_NDX_GLOBAL

export const isElf = (file) => file.readUInt32BE(0) === 0x7f454c46;

export function readElf(file) {
  if (file[4] !== 2 || file[5] !== 1) throw new Error('not 64 bits, little-endian');
  const sections = readSections(file);
  const found = {
    format: 'elf',
    arch: machines[file.readUInt16LE(0x12)],
    library: file.readUInt16LE(0x10) === sharedObject,
    libraries: [],
    imports: [],
    exports: [],
    versions: [],
    unversioned: [],
    stripped: sections.every(({ type }) => type !== section.symbols),
  };
  for (const table of sections) {
    const name = (offset) => text(file, sections[table.link].offset + offset);
    if (table.type === section.dynamic) found.libraries = librariesOf(file, table, name);
    if (table.type === section.dynamicSymbols) {
      const versions = sections.find(({ type }) => type === section.versions);
      Object.assign(found, symbolsOf(file, table, name, versions));
    }
    if (table.type === section.versionsNeeded) found.versions = versionsOf(file, table, name);
  }
  return found;
}

function readSections(file) {
  const start = Number(file.readBigUInt64LE(0x28));
  return Array.from({ length: file.readUInt16LE(0x3c) }, (_, index) => {
    const at = start + index * 64;
    return {
      type: file.readUInt32LE(at + 4),
      offset: Number(file.readBigUInt64LE(at + 24)),
      size: Number(file.readBigUInt64LE(at + 32)),
      link: file.readUInt32LE(at + 40),
    };
  });
}

function librariesOf(file, { offset, size }, name) {
  const libraries = [];
  for (let at = offset; at < offset + size; at += 16) {
    if (file.readBigInt64LE(at) === needed)
      libraries.push(name(Number(file.readBigUInt64LE(at + 8))));
  }
  return libraries;
}

/**
 * Weak ones that nobody defines are no imports: they may stay undefined. Those without a version were
 * found in no library when the file was linked, if the libraries have versions, as glibc does.
 */
function symbolsOf(file, { offset, size }, name, versions) {
  const imports = [];
  const unversioned = [];
  const exports = [];
  for (let at = offset + 24; at < offset + size; at += 24) {
    if ((file[at + 4] & 15) === nameless) continue;
    const defined = file.readUInt16LE(at + 6) !== 0;
    if (defined) exports.push(name(file.readUInt32LE(at)));
    else if (file[at + 4] >> 4 !== weak) {
      imports.push(name(file.readUInt32LE(at)));
      const version = versions && file.readUInt16LE(versions.offset + ((at - offset) / 24) * 2);
      if (version <= anyVersion) unversioned.push(imports.at(-1));
    }
  }
  return { imports, exports, unversioned };
}

/** Versions of symbols, "GLIBC_2.17". */
function versionsOf(file, { offset }, name) {
  const versions = [];
  for (let entry = offset, next = -1; next !== 0; entry += next) {
    for (let at = entry + file.readUInt32LE(entry + 8), step = -1; step !== 0; at += step) {
      versions.push(name(file.readUInt32LE(at + 8)));
      step = file.readUInt32LE(at + 12);
    }
    next = file.readUInt32LE(entry + 12);
  }
  return versions;
}

function text(file, at) {
  return file.toString('latin1', at, file.indexOf(0, at));
}
