/**
 * Imports go one way: down. The list is the architecture; a new file has to be given its place in
 * it, and a cycle cannot be written.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import t from 'tap';
import ts from 'typescript';

import { packageRoot } from './helpers/peer.js';

/**
 * From the top to the bottom. A file imports only from layers below its own. Files of one layer do
 * not know each other, except within a folder ("cli/"), which keeps its own house.
 */
const layers: readonly (readonly string[])[] = [
  ['cli/'],
  ['index.ts', 'etcd.ts'],
  ['audit.ts'],
  ['rotating-file.ts'],
  ['leases.ts', 'file-lock.ts'],
  ['lease-acquire.ts'],
  ['lease.ts', 'held.ts'],
  ['lease-keeper.ts'],
  ['lease-options.ts', 'lease-watch.ts'],
  ['store/'],
  ['wait-queue.ts', 'now.ts', 'root.ts'],
  ['attempt.ts', 'kernel-wait.ts', 'transaction.ts'],
  ['folder.ts', 'lock-path.ts', 'transaction-request.ts'],
  ['native.ts'],
  ['errors.ts', 'audit-line.ts'],
  ['lease-info.ts', 'previous.ts'],
  ['staleness.ts'],
  ['record.ts', 'freeze.ts', 'expiry.ts'],
  ['envelope.ts', 'fields.ts'],
  ['owner.ts', 'deadline.ts', 'filesystem.ts', 'events.ts', 'options.ts', 'bell.ts'],
  [
    'abort.ts',
    'backoff.ts',
    'clock.ts',
    'duration.ts',
    'lines.ts',
    'names.ts',
    'package-root.ts',
    'turns.ts',
  ],
];

/** What the leaves may take from Node: words about the host, arithmetic, no input and output. */
const leafImports = new Set([
  'node:crypto',
  'node:diagnostics_channel',
  'node:os',
  'node:path',
  'node:zlib',
]);

function layerOf(file: string): number {
  return layers.findIndex((layer) => layer.some((entry) => belongs(file, entry)));
}

function belongs(file: string, entry: string): boolean {
  return entry.endsWith('/') ? file.startsWith(entry) : file === entry;
}

/** Everything that a source imports, types included: static, dynamic, and re-exported. */
function importsOf(text: string): string[] {
  return ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName);
}

/** What is wrong with the imports of one file; `file` is its path below src/. */
function complaints(file: string, text: string): string[] {
  const layer = layerOf(file);
  if (layer === -1) return [`${file} has no place in the list of layers`];
  const found: string[] = [];
  for (const name of importsOf(text)) {
    if (!name.startsWith('.')) {
      if (layer >= layerOf('errors.ts') && !leafImports.has(name)) {
        found.push(`${file}, a leaf, imports ${name}`);
      }
      continue;
    }
    const target = posix.join(posix.dirname(file), name).replace(/\.js$/, '.ts');
    const sameFolder = layers[layer]?.some(
      (entry) => entry.endsWith('/') && belongs(file, entry) && belongs(target, entry),
    );
    const below = layerOf(target);
    if (below === -1) found.push(`${file} imports ${target}, which has no place in the list`);
    else if (below <= layer && sameFolder !== true) found.push(`${file} imports ${target}`);
  }
  return found;
}

function filesBelow(folder: string, extension: RegExp): string[] {
  return readdirSync(join(packageRoot, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => extension.test(file))
    .map((file) => file.replaceAll('\\', '/'))
    .sort();
}

function source(folder: string, file: string): string {
  return readFileSync(join(packageRoot, folder, file), 'utf8');
}

const sources = filesBelow('src', /\.[cm]?[jt]sx?$/);

await t.test('no import goes up or sideways', async (t) => {
  t.ok(sources.length > 10, `${sources.length} files`);
  for (const file of sources) t.strictSame(complaints(file, source('src', file)), [], file);
});

await t.test('every place in the list is taken, by one file', async (t) => {
  const entries = layers.flat();
  t.equal(new Set(entries).size, entries.length);
  for (const entry of entries) {
    t.ok(
      sources.some((file) => belongs(file, entry)),
      entry,
    );
  }
});

await t.test('files of cli/ do not import each other in a circle', async (t) => {
  const inside = sources.filter((file) => file.startsWith('cli/'));
  const edges = new Map(
    inside.map((file) => [
      file,
      importsOf(source('src', file))
        .filter((name) => name.startsWith('./'))
        .map((name) => posix.join('cli', name).replace(/\.js$/, '.ts')),
    ]),
  );
  t.strictSame(circle(edges), undefined);
  const planted = new Map(Object.entries({ a: ['b'], b: ['c'], c: ['b'] }));
  t.strictSame(circle(planted), ['b', 'c', 'b'], 'a planted one is found');
});

/** The first circle, as the files along it. */
function circle(edges: Map<string, string[]>): string[] | undefined {
  const done = new Set<string>();
  const visit = (file: string, path: string[]): string[] | undefined => {
    const start = path.indexOf(file);
    if (start !== -1) return [...path.slice(start), file];
    if (done.has(file)) return undefined;
    for (const next of edges.get(file) ?? []) {
      const found = visit(next, [...path, file]);
      if (found !== undefined) return found;
    }
    done.add(file);
    return undefined;
  };
  for (const file of edges.keys()) {
    const found = visit(file, []);
    if (found !== undefined) return found;
  }
  return undefined;
}

await t.test('the addon is loaded in one place', async (t) => {
  const loaders = sources.filter((file) =>
    /node-gyp-build|\.node\b['"]|createRequire/.test(source('src', file)),
  );
  t.strictSame(loaders, ['native.ts']);
});

await t.test('planted offences are caught', async (t) => {
  const planted: Record<string, [file: string, text: string]> = {
    'a static import upwards': ['native.ts', `import { lock } from './file-lock.js';`],
    'an import for its effects': ['native.ts', `import './index.js';`],
    'a type upwards': ['owner.ts', `import type { LockError } from './errors.js';`],
    'an inline type': ['owner.ts', `import { type LockError } from './errors.js';`],
    'an export from above': ['attempt.ts', `export * from './held.js';`],
    'a dynamic import': ['attempt.ts', `const m = await import('./held.js');`],
    'a sideways import': ['held.ts', `import { Lease } from './lease.js';`],
    'from one leaf to another': ['events.ts', `import { isLocal } from './filesystem.js';`],
    'a verdict that looks for itself': ['staleness.ts', `import { statSync } from 'node:fs';`],
    'a verdict that takes the time': ['staleness.ts', `import { hrtime } from 'node:process';`],
    'a record that knows the verdict': ['record.ts', `import { verdict } from './staleness.js';`],
    'a leaf that reads files': ['options.ts', `import { readFileSync } from 'node:fs';`],
    'a leaf that takes a package': ['filesystem.ts', `import find from 'node-gyp-build';`],
    'the library on its command line': ['index.ts', `export * from './cli/demo.js';`],
    'a file without a place': ['newcomer.ts', ''],
    'an import of one': ['index.ts', `export * from './newcomer.js';`],
    'out of src': ['native.ts', `import x from '../lib/native.js';`],
    'up from a folder': ['cli/demo.ts', `import x from '../newcomer.js';`],
  };
  for (const [name, [file, text]] of Object.entries(planted)) {
    t.equal(complaints(file, text).length, 1, name);
  }
  t.strictSame(complaints('file-lock.ts', `import { x } from './held.js';`), [], 'down is fine');
  t.strictSame(complaints('cli/a.ts', `import { x } from './b.js';`), [], 'so is a folder');
});

/**
 * C++: only native/posix and native/win32 know an operating system; and nothing knows libuv or V8,
 * or one binary would no longer serve every version of Node, Electron, Bun and Deno.
 */
function nativeComplaints(file: string, text: string): string[] {
  const found: string[] = [];
  const code = text.replace(/\/\/.*|\/\*[^]*?\*\//g, '');
  for (const [, name = ''] of code.matchAll(/^\s*#\s*include\s*<([^>]+)>/gm)) {
    // The C++ library has no suffix; whatever else is asked for must be Node-API.
    const isStandard = /^[a-z_]+$/.test(name);
    const isNodeApi = ['node_api.h', 'napi.h'].includes(name);
    if (
      /^(uv|v8|node|nan)\b|^(uv|v8)-/.test(name) ||
      (!isSystem(file) && !isStandard && !isNodeApi)
    ) {
      found.push(`${file} includes <${name}>`);
    }
  }
  for (const [, name = ''] of code.matchAll(/^\s*#\s*include\s*"([^"]+)"/gm)) {
    if (!isSystem(file) && /posix|win32/.test(name)) found.push(`${file} includes "${name}"`);
  }
  for (const [symbol] of code.matchAll(/\buv_\w+|\bv8::|\bnode::/g)) {
    found.push(`${file} uses ${symbol}`);
  }
  return found;
}

function isSystem(file: string): boolean {
  return /^(posix|win32)\//.test(file);
}

await t.test('the addon knows no system outside of the seam, and no libuv and V8', async (t) => {
  const files = filesBelow('native', /\.(cc|h|c|cpp|hpp|mm)$/);
  t.ok(files.length > 15 && files.some(isSystem), `${files.length} files`);
  for (const file of files) t.strictSame(nativeComplaints(file, source('native', file)), [], file);
});

await t.test('planted offences in C++ are caught', async (t) => {
  const planted: [file: string, text: string][] = [
    ...[
      'unistd.h',
      'fcntl.h',
      'windows.h',
      'sys/file.h',
      'sys/stat.h',
      'pthread.h',
      'signal.h',
    ].map((name): [string, string] => ['addon.cc', `#include <${name}>`]),
    ['courtesy.h', '  #  include <time.h>'],
    ['addon.cc', '#include "posix/wake_signal.h"'],
    ['posix/os.cc', '#include <uv.h>'],
    ['win32/lock.cc', '#include <v8.h>'],
    ['posix/os.cc', '#include <v8-isolate.h>'],
    ['posix/os.cc', '#include <node.h>'],
    ['addon.cc', 'void f() { uv_run(loop); }'],
    ['addon.cc', 'v8::Isolate* isolate;'],
    ['addon.cc', 'node::AddEnvironmentCleanupHook(x);'],
  ];
  for (const [file, text] of planted) t.equal(nativeComplaints(file, text).length, 1, text);
  const innocent: [file: string, text: string][] = [
    ['addon.cc', '#include <node_api.h>\n#include <cstdint>\n#include "os.h"'],
    ['posix/os.cc', '#include <sys/file.h>'],
    ['addon.cc', '// unlike uv_run and v8::Isolate, and <unistd.h>'],
  ];
  for (const [file, text] of innocent) t.strictSame(nativeComplaints(file, text), [], text);
});
