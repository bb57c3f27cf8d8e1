/**
 * The package as users get it: packed, installed from the tarball without running scripts and
 * without a compiler in sight, then imported, required, and used by a TypeScript program.
 *
 * What is tested here cannot be seen in the repository: a file that `files` leaves out, a map that
 * leads to a source that is not there, a type that only resolves beside our own node_modules.
 */
import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import ts from 'typescript';

import { packageRoot } from './helpers/peer.js';

const execute = promisify(execFile);
const manifest = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
  name: string;
  version: string;
  main?: string;
  gypfile: unknown;
  scripts: Record<string, string>;
  dependencies: Record<string, string>;
  exports: Record<string, Record<string, string>>;
};

// Outside of the repository: in a folder of it, node would find the repository's node_modules.
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-package-')));
t.teardown(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** npm's own script: on Windows `npm` is a batch file, which execFile does not start. */
const npmScript = findNpm();

function findNpm(): string {
  const running = process.env['npm_execpath'];
  if (running?.endsWith('npm-cli.js') === true) return running;
  const places = (process.env['PATH'] ?? '')
    .split(delimiter)
    .flatMap((place) => [join(place, 'npm'), join(place, 'node_modules/npm/bin/npm-cli.js')]);
  const found = places.filter((place) => existsSync(place)).map((place) => realpathSync(place));
  const script = found.find((place) => place.endsWith('npm-cli.js'));
  if (script === undefined) throw new Error('npm is not in the PATH');
  return script;
}

/** A PATH with node and nothing else: neither a compiler, nor python, nor a shell. */
const barePath = join(folder, 'bin');
mkdirSync(barePath);
symlinkSync(process.execPath, join(barePath, 'node'));

/** Without PREBUILDS_ONLY, and without what npm tells the scripts that it runs. */
const bareEnv: NodeJS.ProcessEnv = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(npm_|INIT_CWD$|PREBUILDS_ONLY$|NODE_)/i.test(name),
    ),
  ),
  PATH: barePath,
  CC: '/nonexistent/cc',
  CXX: '/nonexistent/c++',
};

function run(
  cwd: string,
  env: NodeJS.ProcessEnv,
  ...args: string[]
): Promise<{ stdout: string; stderr: string }> {
  return execute(process.execPath, args, { cwd, env });
}

async function node(...args: string[]): Promise<string> {
  const { stdout, stderr } = await run(project, bareEnv, ...args);
  // A warning (an experiment, a deprecation) is something that the user would have to read.
  if (stderr !== '') throw new Error(`on stderr: ${stderr}`);
  return stdout.trim();
}

async function npm(cwd: string, env: NodeJS.ProcessEnv, ...args: string[]): Promise<string> {
  const { stdout } = await run(cwd, env, npmScript, ...args);
  return stdout;
}

interface Packed {
  filename: string;
  size: number;
  unpackedSize: number;
  files: { path: string }[];
}

const [packed] = JSON.parse(
  await npm(
    packageRoot,
    process.env,
    'pack',
    '--json',
    '--ignore-scripts',
    '--pack-destination',
    folder,
  ),
) as [Packed];
const contents = packed.files.map(({ path }) => path);

await t.test('what is packed', async (t) => {
  const host = `${process.platform}-${process.arch}`;
  const wanted = [
    'package.json',
    'README.md',
    'LICENSE',
    'CHANGELOG.md',
    'binding.gyp',
    'lib/index.d.ts',
    'lib/index.bundle.js',
    'native/addon.cc',
    'native/os.h',
    'native/posix/os.cc',
    'native/win32/lock.cc',
    'native/napi.map',
  ];
  for (const path of wanted) t.ok(contents.includes(path), path);
  const binaries = contents.filter((path) => path.endsWith('.node'));
  t.ok(
    binaries.some((path) => path.startsWith(`prebuilds/${host}/`)),
    `a binary for ${host} among ${binaries.join()}`,
  );
  t.ok(binaries.every((path) => path.startsWith('prebuilds/')));
  const unwanted =
    /^(src|test|bench|scripts|build|campaigns|\.)|\.(log|js\.map|ts\.map|tgz)$|tsconfig|compile_commands/;
  t.strictSame(
    contents.filter((path) => unwanted.test(path)),
    [],
  );
  t.comment(`${packed.size} bytes, ${packed.unpackedSize} unpacked; binaries: ${binaries.join()}`);
  // Five of them are built on Debian; the release has three more.
  const limit = 600_000 + 75_000 * Math.max(0, binaries.length - 5);
  t.ok(packed.size < limit, `the tarball has ${packed.size} bytes, fewer than ${limit}`);
});

const isBundle = (path: string): boolean => /\.bundle\.c?js$/.test(path);
const ofLibrary = /^(\.\/)?lib\/(index|etcd|shared)\.bundle\.js$/;

await t.test('every compiled file comes from a source', async (t) => {
  const compiled = contents.filter((path) => path.startsWith('lib/') && !isBundle(path));
  t.ok(compiled.length > 20);
  for (const path of compiled) {
    const source = path.replace(/^lib\//, 'src/').replace(/\.d\.ts$/, '.ts');
    t.ok(existsSync(join(packageRoot, source)), `${path}: a leftover of a source that is gone?`);
  }
});

await t.test('what runs is bundled, and no module of the library twice', async (t) => {
  for (const entry of Object.values(manifest.exports)) {
    if (typeof entry === 'object') t.match(entry['default'], ofLibrary);
  }
  const bundles = contents.filter(isBundle);
  t.strictSame(
    contents.filter((path) => /^lib\/.*js$/.test(path)),
    bundles,
  );
  t.ok(bundles.includes('lib/holdfast.bundle.cjs'), 'the command');
  // Else there would be two classes LockError, and two lists of the locks that are held.
  const modules = bundles.flatMap((path) => {
    if (!ofLibrary.test(path)) return [];
    const text = readFileSync(join(packageRoot, path), 'utf8');
    return [...new Set(text.match(/^\/\/ lib\/\S+\.js$/gm))].map((line) => line.slice(3));
  });
  for (const each of ['lib/errors.js', 'lib/held.js', 'lib/native.js'])
    t.ok(modules.includes(each));
  t.equal(new Set(modules).size, modules.length);
});

await t.test('whatever is imported is declared', async (t) => {
  const used = new Set<string>();
  for (const path of contents.filter((path) => /^lib\/.*\.c?js$/.test(path))) {
    const text = readFileSync(join(packageRoot, path), 'utf8');
    for (const { fileName } of ts.preProcessFile(text, true, true).importedFiles) {
      if (!/^(\.|node:)/.test(fileName)) used.add(fileName);
    }
    for (const [, name] of text.matchAll(/\brequire\d*\("(?!node:)([^"]+)"\)/g))
      used.add(name ?? '');
  }
  used.add('node-addon-api'); // binding.gyp asks for it
  t.strictSame([...used].sort(), Object.keys(manifest.dependencies).sort());
});

await t.test('exports say where the types are, first', async (t) => {
  // Conditions are tried in order; behind "default" nobody would look.
  const entries = Object.values(manifest.exports).filter((entry) => typeof entry === 'object');
  t.ok(entries.length > 0);
  for (const entry of entries) t.strictSame(Object.keys(entry), ['types', 'default']);
});

await t.test('publint has nothing to say, and attw what the ADR on ESM explains', async (t) => {
  const tarball = join(folder, packed.filename);
  const tool = (name: string): string => join(packageRoot, 'node_modules', name);
  const published = await run(folder, process.env, tool('publint/src/cli.js'), tarball, '--strict');
  t.match(published.stdout, 'All good!');
  const explained = ['--ignore-rules', 'cjs-resolves-to-esm', 'no-resolution'];
  const attw = tool('@arethetypeswrong/cli/dist/index.js');
  const types = await run(folder, process.env, attw, tarball, '--format', 'json', ...explained);
  const { analysis } = JSON.parse(types.stdout) as {
    analysis: { problems: { kind: string; resolutionKind: string }[] };
  };
  const problems = analysis.problems.map(({ kind, resolutionKind: by }) => `${kind} (${by})`);
  t.strictSame(
    [...new Set(problems)].sort(), // of every entry point
    ['CJSResolvesToESM (node16-cjs)', 'NoResolution (node10)'],
  );
});

await t.test('nothing runs at the install', async (t) => {
  const atInstall = ['preinstall', 'install', 'postinstall', 'prepublish', 'prepare', 'prebuild'];
  t.strictSame(
    atInstall.filter((name) => name in manifest.scripts),
    [],
  );
  // With a binding.gyp, npm would run node-gyp unless it is told not to.
  t.equal(manifest.gypfile, false);
});

const project = join(folder, 'project');
const installed = join(project, 'node_modules', manifest.name);

await t.test('what is installed', async (t) => {
  mkdirSync(project);
  const user = { name: 'user', private: true, type: 'module' };
  writeFileSync(join(project, 'package.json'), JSON.stringify(user));
  const tarball = join(folder, packed.filename);
  const quietly = ['--no-audit', '--no-fund', '--no-update-notifier'];
  await npm(
    project,
    bareEnv,
    'install',
    '--ignore-scripts',
    '--prefer-offline',
    ...quietly,
    tarball,
  );
  t.notOk(existsSync(join(installed, 'build')), 'nothing was compiled');
  const { version } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
    version: string;
  };
  t.equal(version, manifest.version);
  // Those and no others, at the top: nothing is used that is not declared.
  for (const name of Object.keys(manifest.dependencies)) {
    t.ok(existsSync(join(project, 'node_modules', name)), name);
  }
});

/** Locks, is refused, releases, and says so; `holdfast` and `main` come from the caller. */
const body = `
  const held = await holdfast.lock('data.json');
  const refused = holdfast.tryLock('data.json') === null;
  held.release();
  const free = await holdfast.withLock('data.json', (held) => held.held);
  console.log(JSON.stringify({ refused, free, names: Object.keys(holdfast).sort() }));
`;
const expected = {
  refused: true,
  free: true,
  names: [
    'Leases',
    'LockError',
    'auditTo',
    'heldLocks',
    'holderOf',
    'lock',
    'lockPathFor',
    'lockSync',
    'tryLock',
    'withLock',
  ],
};

await t.test('an ES module imports it', async (t) => {
  writeFileSync(join(project, 'use.mjs'), `import * as holdfast from 'holdfast';\n${body}`);
  t.strictSame(JSON.parse(await node('use.mjs')), expected);
});

await t.test('a CommonJS module requires it', async (t) => {
  writeFileSync(
    join(project, 'use.cjs'),
    `const holdfast = require('holdfast');\n(async () => {${body}})();`,
  );
  const output = JSON.parse(await node('use.cjs')) as typeof expected;
  const own = new Set(['__esModule', 'module.exports']);
  output.names = output.names.filter((name) => !own.has(name));
  t.strictSame(output, expected);
});

await t.test('it loads no parts of Node that an import does not need', async (t) => {
  // Streams come with node:fs, for who imports it by name; the name is Node's own, and not documented.
  const script = `const before = new Set(process.moduleLoadList);
    const { tryLock } = await import('holdfast');
    const loaded = process.moduleLoadList.filter((name) => !before.has(name));
    tryLock('unneeded')?.release();
    require('fs').writeSync(1, JSON.stringify(loaded));`;
  const loaded = JSON.parse(await node('-e', `(async () => {${script}})()`)) as string[];
  t.ok(loaded.includes('NativeModule os'), 'what it does need');
  t.strictSame(
    loaded.filter((name) => /stream|crypto|http|net$/.test(name)),
    [],
  );
});

await t.test('its package.json can be asked for, its insides cannot', async (t) => {
  const script = `
    import { createRequire } from 'node:module';
    const require = createRequire(import.meta.url);
    const { version } = require('holdfast/package.json');
    const inside = await import('holdfast/lib/native.js').catch((error) => error.code);
    console.log(version, inside);
  `;
  writeFileSync(join(project, 'ask.mjs'), script);
  t.equal(await node('ask.mjs'), `${manifest.version} ERR_PACKAGE_PATH_NOT_EXPORTED`);
});

await t.test('a strict TypeScript program uses its types', async (t) => {
  const program = `
    import { LockError, lock, lockSync, tryLock, withLock, heldLocks, holderOf, lockPathFor } from 'holdfast';
    import type { FileLock, HolderInfo, LockErrorCode, LockEvent, LockOptions, SystemError } from 'holdfast';

    export async function use(file: string | URL): Promise<number> {
      await using held: FileLock = await lock(file, { timeout: 5000, signal: AbortSignal.timeout(1) });
      using second = tryLock('other', { shared: true });
      const previous: HolderInfo | null = held.previous;
      const since: Date | undefined = previous?.since;
      try {
        lockSync('third', { timeout: 10 }).release();
      } catch (error) {
        if (!(error instanceof LockError)) throw error;
        const code: LockErrorCode = error.code;
        const cause = error.cause as SystemError | undefined;
        console.log(code, cause?.syscall, error.holder?.owner, since, second?.held);
      }
      const options: LockOptions = { directory: true, fileMode: 0o600, network: 'allow' };
      console.log(lockPathFor('out', options), holderOf('out', options)?.pid, heldLocks().length);
      const event: LockEvent = { kind: 'file', resource: 'x', shared: false };
      console.log(event);
      return await withLock('out', async (inside) => (inside.assertHeld(), 42), options);
    }

    // What must not compile.
    // @ts-expect-error the limit is required
    lockSync('file', {});
    // @ts-expect-error it does not wait
    tryLock('file', { timeout: 5 });
    // @ts-expect-error one of two words
    void lock('file', { network: 'maybe' });
    // @ts-expect-error null when somebody else holds it
    tryLock('file').release();
  `;
  writeFileSync(join(project, 'consumer.ts'), program);
  const config = {
    compilerOptions: {
      module: 'nodenext',
      target: 'es2022',
      lib: ['es2023', 'esnext.disposable'],
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      noEmit: true,
      types: ['node'],
      // The only thing that is not the user's own: types of Node, which every such program has.
      typeRoots: [join(packageRoot, 'node_modules/@types')],
    },
    files: ['consumer.ts'],
  };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(config));
  const compiler = join(packageRoot, 'node_modules/typescript/bin/tsc');
  const errors = await node(compiler, '-p', '.').then(
    (output) => output,
    (error: unknown) => (error as { stdout: string }).stdout,
  );
  t.equal(errors, '');
});

await t.test(
  'the binary needs nothing but the C library',
  { skip: process.platform !== 'linux' },
  async (t) => {
    const binaries = readdirSync(join(installed, 'prebuilds', `linux-${process.arch}`));
    t.not(binaries.length, 0);
    for (const name of binaries) {
      const path = join(installed, 'prebuilds', `linux-${process.arch}`, name);
      const strings = readFileSync(path, 'latin1');
      t.notMatch(strings, /libstdc\+\+\.so|libgcc_s\.so|libuv|GLIBCXX_/, name);
      t.notMatch(
        strings,
        new RegExp(dirname(packageRoot) + '/'),
        `${name}: no path of the builder`,
      );
    }
  },
);
