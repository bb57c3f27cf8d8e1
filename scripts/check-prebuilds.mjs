/**
 * Fails unless every file in prebuilds/ is what its name says, and needs nothing that a user's machine
 * may not have. The files are read, not run, so that any machine can check those of all others.
 *
 *   node scripts/check-prebuilds.mjs [--folder prebuilds] [TARGET...]
 *
 * A target that is named, such as linux-x64.musl or win32-x64, must be there.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { isElf, readElf } from './binary/elf.mjs';
import { isMachO, readMachO } from './binary/macho.mjs';
import { isPe, readPe } from './binary/pe.mjs';

/** Node's own binaries need it: whoever runs Node has it. */
const newestGlibc = '2.28';
/** On Linux; those of Windows have the C++ run-time in them. */
const mostBytes = 150_000;

/** What a target's name promises. */
const systems = {
  'linux.glibc': { format: 'elf', libraries: /^(libc\.so\.6|ld-linux-[\w-]+\.so\.\d)$/ },
  'linux.musl': { format: 'elf', libraries: /^libc\.(so|musl-\w+\.so\.1)$/ },
  darwin: { format: 'mach-o', libraries: /^\/usr\/lib\/lib(System\.B|c\+\+\.1)\.dylib$/ },
  win32: {
    format: 'pe',
    libraries: /^(kernel32|msvcrt|ucrtbase|api-ms-win-[\w-]+)\.dll$/,
    delayed: /^node\.exe$/,
  },
};
const named = /^(linux|darwin|win32)-(x64|arm64)\/holdfast(?:\.(glibc|musl))?\.node$/;
const nodeApi = /^(napi|node_api)_/;
/** C++ that is mangled (GNU's way, Microsoft's), libuv, V8. macOS has a C++ library for everybody. */
const foreign = {
  // Of these the C library has the two; the others are of the C++ library.
  elf: /^_Z|^uv_|^v8|^__gxx_|^__cxa_(?!finalize$|atexit$)/,
  pe: /^\?|^_Z|^uv_|^v8/,
  'mach-o': /v8|^uv_|^_ZN?4node/,
};
const entryPoints = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];

function read(file) {
  if (isElf(file)) return readElf(file);
  if (isPe(file)) return readPe(file);
  if (isMachO(file)) return readMachO(file);
  throw new Error('neither ELF, PE nor Mach-O');
}

/** What is wrong with a file, given its name and contents; empty when nothing is. */
function complaints(path, file) {
  const [, platform, arch, libc] = named.exec(path) ?? [];
  const system = systems[libc === undefined ? platform : `${platform}.${libc}`];
  if (system === undefined) return ['node-gyp-build would not find it by this name'];
  let found;
  try {
    found = read(file);
  } catch (error) {
    return [`cannot be read: ${error.message}`];
  }
  if (found.format !== system.format) return [`is ${found.format}, not ${system.format}`];

  const wrong = [];
  const expect = (fine, complaint) => fine || wrong.push(complaint);
  expect(found.arch === arch, `is for ${found.arch}, not for ${arch}`);
  expect(found.library, 'is not a shared library');
  expect(found.stripped, 'is not stripped');
  expect(found.libraries.length > 0, 'names no library of its system: linked statically?');
  for (const library of found.libraries) {
    expect(system.libraries.test(library), `needs ${library}`);
  }
  for (const library of found.delayed ?? []) {
    expect(system.delayed.test(library), `needs ${library}`);
  }
  for (const name of found.imports) expect(!foreign[system.format].test(name), `imports ${name}`);
  // The program that loads it has more than Node-API for the taking: OpenSSL, zlib.
  for (const name of found.unversioned ?? []) {
    expect(nodeApi.test(name), `imports ${name}, which is of no library that it needs`);
  }
  expect(
    found.imports.some((name) => nodeApi.test(name)),
    'imports nothing of Node-API',
  );
  expect(found.exports.includes(entryPoints[0]), `does not export ${entryPoints[0]}`);
  for (const name of found.exports) expect(entryPoints.includes(name), `exports ${name}`);
  for (const version of found.versions) {
    const [, number] = /^GLIBC_(.*)$/.exec(version) ?? [];
    expect(number !== undefined && atMost(number, newestGlibc), `needs ${version}`);
  }
  if (platform === 'linux') expect(file.length < mostBytes, `is ${file.length} bytes long`);
  return wrong;
}

function atMost(version, limit) {
  return version.localeCompare(limit, 'en', { numeric: true }) <= 0;
}

function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(
      (entry) => entry.isFile() && !(entry.parentPath === folder && entry.name === 'README.md'),
    )
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .replaceAll('\\', '/'),
    )
    .sort();
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { folder: { type: 'string', default: 'prebuilds' } },
});
const files = filesBelow(values.folder);
let failed = false;
for (const path of files) {
  const file = readFileSync(join(values.folder, path));
  const wrong = complaints(path, file);
  console.log(`${wrong.length === 0 ? 'ok    ' : 'WRONG '} ${path}, ${file.length} bytes`);
  for (const complaint of wrong) console.log(`         ${complaint}`);
  failed ||= wrong.length > 0;
}
for (const target of positionals) {
  const [system, libc] = target.split('.');
  const path = `${system}/holdfast${libc === undefined ? '' : `.${libc}`}.node`;
  if (files.includes(path)) continue;
  console.log(`WRONG  ${path} is missing`);
  failed = true;
}
if (files.length === 0) console.log(`nothing in ${values.folder}`);
process.exitCode = failed || files.length === 0 ? 1 : 0;
