// Joins the compiled modules into few files, which are what the package holds: `npm run build:ts`, or
// `node scripts/bundle.mjs ROOT` for a copy of the package.
//
// - The library: lib/index.bundle.js, lib/etcd.bundle.js, and lib/shared.bundle.js with what both of them
//   need (a LockError must be the same class for all).
// - The command: lib/holdfast.bundle.cjs. One file, CommonJS and not a module: a start reads it at once,
//   runs of it what the command needs, and loads no part of Node that it does not.
// - The processes that the command starts: lib/demo-child.bundle.js, lib/doctor-child.bundle.js, and
//   lib/child.bundle.js with what both of them need.
//
// It is for the time that a start takes: each of some hundred modules is looked for, read and linked
// on its own. All lie in lib/ itself, so that src/package-root.ts is right in each.
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

const root = resolve(process.argv[2] ?? fileURLToPath(new URL('..', import.meta.url)));
const lib = join(root, 'lib');

for (const name of readdirSync(lib)) {
  if (/\.bundle\.c?js$/.test(name)) rmSync(join(lib, name)); // of sources that are gone, perhaps
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

// Who imports a name from node:fs gets a module with every name that it exports, and so loads all that
// they stand for, streams for one. The object itself loads what is asked of it.
const lazily = {
  name: 'lazily',
  setup({ onLoad }) {
    onLoad({ filter: /\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replace(
        /^import \{([^}]*)\} from '(node:[^']*)';$/gm,
        (_, names, from) =>
          `const {${names.replaceAll(' as ', ': ')}} = process.getBuiltinModule('${from}');`,
      ),
    }));
  },
};

await build({
  ...common,
  entryPoints: ['lib/index.js', 'lib/etcd.js'],
  chunkNames: 'shared.bundle',
  plugins: [lazily],
});

// Nobody debugs into the command, and the tarball is smaller by a tenth.
const command = { ...common, minify: true };

await build({
  ...command,
  entryPoints: { holdfast: 'lib/cli/bin.js' },
  splitting: false,
  format: 'cjs',
  outExtension: { '.js': '.cjs' },
  banner: { js: 'const importMetaUrl = require("node:url").pathToFileURL(__filename).href;' },
  define: { 'import.meta.url': 'importMetaUrl' },
});
await build({
  ...command,
  entryPoints: ['lib/cli/doctor-child.js', 'lib/cli/demo-child.js'],
  chunkNames: 'child.bundle',
});
