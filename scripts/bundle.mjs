// Joins the compiled modules into few files, which are what the package holds: `npm run build:ts`, or
// `node scripts/bundle.mjs ROOT` for a copy of the package.
//
// - The library: lib/index.bundle.js, lib/etcd.bundle.js, and lib/shared.bundle.js with what both of them
//   need (a LockError must be the same class for all).
// - The command: lib/holdfast.bundle.js, the processes that it starts, and in
//   lib/command-*.bundle.js what is loaded when a command asks for it.
//
// It is for the time that a start takes: each of some hundred modules is looked for, read and linked
// on its own. All lie in lib/ itself, so that src/package-root.ts is right in each.
import { readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

const root = resolve(process.argv[2] ?? fileURLToPath(new URL('..', import.meta.url)));
const lib = join(root, 'lib');

for (const name of readdirSync(lib)) {
  if (name.endsWith('.bundle.js')) rmSync(join(lib, name)); // names of chunks change with them
}

const common = {
  absWorkingDir: root,
  entryNames: '[name].bundle',
  outdir: 'lib',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'es2022',
  packages: 'external',
  logLevel: 'warning',
};

await build({
  ...common,
  entryPoints: ['lib/index.js', 'lib/etcd.js'],
  chunkNames: 'shared.bundle',
});
await build({
  ...common,
  entryPoints: {
    holdfast: 'lib/cli/bin.js',
    'doctor-child': 'lib/cli/doctor-child.js',
    'demo-child': 'lib/cli/demo-child.js',
  },
  chunkNames: 'command-[name]-[hash].bundle',
  minify: true, // nobody debugs into it, and the tarball is smaller by a tenth
});
