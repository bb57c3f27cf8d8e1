// Joins the compiled modules of the library into few files: lib/index.bundle.js, lib/etcd.bundle.js,
// and lib/shared.bundle.js with what both of them need (a LockError must be the same class for all).
// These are what the package's `exports` name; the declarations, and the modules that the command and
// the tests import, stay as they are.
//
// It is for the time that an import takes: each of some fifty modules is looked for, read and linked
// on its own. docs/platforms.md has the figures.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

await build({
  absWorkingDir: root,
  entryPoints: ['lib/index.js', 'lib/etcd.js'],
  entryNames: '[name].bundle',
  chunkNames: 'shared.bundle',
  outdir: 'lib',
  allowOverwrite: true,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'es2022',
  packages: 'external',
  logLevel: 'warning',
});
