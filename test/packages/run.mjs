// Package managers that install the packed package, with scripts disabled, and bundlers that build a
// program which uses it (project/); once with no binary, which is then built from what was packed. In
// each case the program must run.
//
//   node test/packages/run.mjs [--short]      --short: one of each kind, for the gate
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';

import Table from 'cli-table3';

import { repository } from '../platforms/child.mjs';
import { install, pack, withoutScripts } from '../platforms/packed.mjs';

const { short } = parseArgs({ options: { short: { type: 'boolean', default: false } } }).values;
const expected = '{"refused":true,"within":true,"code":"ERR_LOCK_HELD","etcd":"function"}';

const work = mkdtempSync(join(tmpdir(), 'holdfast-packages-'));
process.on('exit', () => rmSync(work, { recursive: true, force: true }));
const tarball = pack(work);

// The tools: those of package.json beside this file, or the two of the short form.
const tools = join(repository, 'node_modules/.cache/holdfast/packages');
mkdirSync(tools, { recursive: true });
const { dependencies } = JSON.parse(readFileSync(join(repository, 'test/packages/package.json')));
const wanted = Object.keys(dependencies).filter((name) => !short || /^(esbuild|pnpm)$/.test(name));
writeFileSync(join(tools, 'package.json'), '{ "private": true }');
install(tools, ...wanted.map((name) => `${name}@${dependencies[name]}`));
const tool = (path) => join(tools, 'node_modules', path);

// What a user has: nothing of what npm tells the scripts that it runs, nor of the repository's own.
const registry = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim();
const env = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name))),
  PREBUILDS_ONLY: undefined,
  // pnpm and yarn keep what they fetch in the work folder, and no script runs.
  npm_config_ignore_scripts: 'true',
  npm_config_registry: registry,
  npm_config_store_dir: join(work, 'pnpm-store'),
  YARN_NPM_REGISTRY_SERVER: registry,
  YARN_GLOBAL_FOLDER: join(work, 'yarn'),
  YARN_ENABLE_SCRIPTS: 'false',
  YARN_ENABLE_TELEMETRY: 'false',
  YARN_ENABLE_IMMUTABLE_INSTALLS: 'false',
};

/** A new folder with the program, of a user who has not installed anything yet. */
function project(name) {
  const folder = join(work, name);
  cpSync(join(repository, 'test/packages/project'), folder, { recursive: true });
  const user = { private: true, type: 'module', dependencies: { holdfast: `file:${tarball}` } };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(user));
  return folder;
}

const run = (cwd, ...args) =>
  execFileSync(process.execPath, args, { cwd, env, encoding: 'utf8', stdio: 'pipe' });
const yarn = tool('@yarnpkg/cli-dist/bin/yarn.js');

function withYarn(linker) {
  const folder = project(`yarn-${linker}`);
  writeFileSync(join(folder, '.yarnrc.yml'), `nodeLinker: ${linker}\n`);
  writeFileSync(join(folder, 'yarn.lock'), ''); // the project ends here
  run(folder, yarn, 'install');
  return folder;
}

let bundled;
/** Where npm has installed it, for the bundlers. */
function bundling() {
  if (bundled === undefined) {
    bundled = project('bundlers');
    execFileSync('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline'], {
      cwd: bundled,
      env: withoutScripts,
    });
  }
  return bundled;
}

function withEsbuild(format, output) {
  const options = ['--bundle', '--platform=node', `--format=${format}`, '--external:holdfast'];
  const arguments_ = ['program.js', ...options, `--outfile=dist/${output}`];
  execFileSync(tool('.bin/esbuild'), arguments_, { cwd: bundling(), env, stdio: 'pipe' });
  return run(bundling(), `dist/${output}`);
}

/** What the library tells those for whom there is no binary, in a folder whose name has a blank. */
function fromSource() {
  const folder = project('from source');
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline'], {
    cwd: folder,
    env: withoutScripts,
  });
  rmSync(join(folder, 'node_modules/holdfast/prebuilds'), { recursive: true });
  const advice = ['explore', 'holdfast', '--', 'npm', 'run', 'build:native'];
  // Node's headers without a download, where the running Node carries them.
  const headers = join(dirname(process.execPath), '..');
  const local = existsSync(join(headers, 'include/node/node_api.h'));
  const nodedir = local ? { npm_package_config_node_gyp_nodedir: headers } : {};
  const compiler = { ...env, ...nodedir, JOBS: 'max' };
  execFileSync('npm', advice, { cwd: folder, env: compiler, stdio: 'pipe' });
  return run(folder, 'program.js');
}

const campaign = {
  'npm, built from source': fromSource,
  pnpm: () => {
    const folder = project('pnpm');
    run(folder, tool('pnpm/bin/pnpm.cjs'), 'install', '--ignore-scripts', '--prefer-offline');
    return run(folder, 'program.js');
  },
  'esbuild, ES module': () => withEsbuild('esm', 'esbuild.mjs'),
  'esbuild, CommonJS': () => withEsbuild('cjs', 'esbuild.cjs'),
  ...(short || {
    'yarn, node_modules': () => run(withYarn('node-modules'), 'program.js'),
    "yarn, Plug'n'Play": () => {
      const folder = withYarn('pnp');
      // Out of its archive, unasked: no system loads a library from a zip.
      const unplugged = readdirSync(join(folder, '.yarn/unplugged'));
      if (!unplugged.some((name) => name.startsWith('holdfast-'))) throw new Error('not unplugged');
      return run(folder, yarn, 'node', 'program.js');
    },
    webpack: () => {
      run(bundling(), tool('webpack-cli/bin/cli.js'));
      return run(bundling(), 'dist/webpack.cjs');
    },
    'Vite, for the server': () => {
      run(bundling(), tool('vite/bin/vite.js'), 'build');
      return run(bundling(), 'dist/vite.mjs');
    },
  }),
};

const table = new Table({ head: ['tool', 'result', 'seconds'] });
for (const [name, attempt] of Object.entries(campaign)) {
  const start = performance.now();
  let result = 'ok';
  try {
    const said = attempt().trim();
    if (said !== expected) throw new Error(`it said: ${said}`);
  } catch (error) {
    result = 'FAILED';
    process.exitCode = 1;
    console.error(name, error.message, error.stdout ?? '');
  }
  table.push([name, result, ((performance.now() - start) / 1000).toFixed(1)]);
}
console.log(table.toString());
