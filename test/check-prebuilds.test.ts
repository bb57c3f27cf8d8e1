/** That no wrong binary gets past scripts/check-prebuilds.mjs: good ones are spoilt, one way each. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';

import { childEnv, packageRoot } from './helpers/peer.js';

const script = join(packageRoot, 'scripts/check-prebuilds.mjs');
const host = join(packageRoot, 'prebuilds', `${process.platform}-${process.arch}`);
const names = readdirSync(host).filter((name) => name.endsWith('.node'));
const ours = names.find((name) => !name.includes('musl')) ?? names[0] ?? '';
const good = readFileSync(join(host, ours));
const entryPoint = 'node_api_module_get_api_version_v1';
const ourPath = `${process.platform}-${process.arch}/${ours}`;

/** Runs it over a folder with these files. */
function check(
  t: Test,
  files: Record<string, Buffer>,
  ...targets: string[]
): { code: number | null; output: string } {
  const folder = t.testdir();
  for (const [path, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes);
  }
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [script, '--folder', folder, ...targets],
    { encoding: 'utf8', env: childEnv() },
  );
  return { code: status, output: stdout + stderr };
}

/** A copy in which one name has become another; they are filled up to the same length. */
function renamed(from: string, to: string, original = good): Buffer {
  const copy = Buffer.from(original);
  const at = copy.indexOf(`${from}\0`, 0, 'latin1');
  if (at === -1) throw new Error(`the binary does not hold ${from}`);
  copy.write(to.padEnd(from.length, '_').slice(0, from.length), at, 'latin1');
  return copy;
}

await t.test('what was built for this machine passes', (t) => {
  const target = ourPath.replace(/\/holdfast|\.node$/g, '');
  const { code, output } = check(t, { [ourPath]: good }, target);
  t.equal(code, 0, output);
  t.match(output, `ok     ${ourPath}`);
  t.end();
});

await t.test('whatever else has been built passes', (t) => {
  const folder = t.testdir();
  cpSync(join(packageRoot, 'prebuilds'), folder, { recursive: true });
  const { status, stdout } = spawnSync(process.execPath, [script, '--folder', folder], {
    encoding: 'utf8',
    env: childEnv(),
  });
  t.equal(status, 0, stdout);
  t.end();
});

await t.test('a target that is missing is told', (t) => {
  const { code, output } = check(t, { [ourPath]: good }, 'darwin-universal');
  t.equal(code, 1);
  t.match(output, /darwin-universal\/holdfast\.node is missing/);
  t.end();
});

await t.test('nothing at all does not pass', (t) => {
  t.equal(check(t, {}).code, 1);
  t.end();
});

const linux = { skip: process.platform === 'linux' ? false : 'what is spoilt here is an ELF file' };

await t.test('a wrong file under a right name', linux, (t) => {
  const other = process.arch === 'x64' ? 'arm64' : 'x64';
  const host = `linux-${process.arch}/holdfast`;
  const version = /GLIBC_2\.\d+(?=\0)/.exec(good.toString('latin1'))?.[0] ?? 'no version';
  const program = readFileSync(existsSync('/bin/true') ? '/bin/true' : process.execPath);
  const wrong: [what: string, path: string, bytes: Buffer, complaint: RegExp][] = [
    ["the host's under a name of macOS", 'darwin-x64/holdfast.node', good, /is elf, not mach-o/],
    ["the host's under a name of Windows", 'win32-x64/holdfast.node', good, /is elf, not pe/],
    ['another processor', `linux-${other}/holdfast.glibc.node`, good, /is for \w+, not for/],
    ['another libc', `${host}.musl.node`, good, /needs libc\.so\.6/],
    ['no libc in its name', `${host}.node`, good, /would not find it/],
    ['no addon', `${host}.glibc.node`, program, /does not export napi_register_module_v1/],
    ['cut short', `${host}.glibc.node`, good.subarray(0, 4000), /cannot be read/],
    ['no binary', `${host}.glibc.node`, Buffer.from('#!/bin/sh\n'), /neither ELF/],
    ['another library', `${host}.glibc.node`, renamed('libc.so.6', 'libuv.so'), /needs libuv\.so/],
    ['a newer glibc', `${host}.glibc.node`, renamed(version, 'GLIBC_2.29'), /needs GLIBC_2\.29?/],
    ['libuv', `${host}.glibc.node`, renamed('napi_create_external', 'uv_run'), /imports uv_run/],
    ['V8', `${host}.glibc.node`, renamed('napi_create_object', '_ZN2v86Obj'), /imports _ZN2v8/],
    ['OpenSSL', `${host}.glibc.node`, renamed('napi_create_object', 'SSL_new'), /SSL_new_*, which/],
    ['an export more', `${host}.glibc.node`, renamed(entryPoint, 'holdfast'), /exports holdfast/],
    ['too long', `${host}.glibc.node`, Buffer.concat([good, Buffer.alloc(150_000)]), /bytes long/],
  ];
  for (const [what, path, bytes, complaint] of wrong) {
    const { code, output } = check(t, { [path]: bytes });
    t.equal(code, 1, what);
    t.match(output, complaint, what);
  }
  t.end();
});

const windows = 'win32-x64/holdfast.node';
const theirs = join(packageRoot, 'prebuilds', windows);

await t.test(
  'what Node has beside Node-API, on Windows',
  { skip: existsSync(theirs) ? false : 'it has not been built' },
  (t) => {
    const built = readFileSync(theirs);
    t.equal(check(t, { [windows]: built }).code, 0);
    for (const foreign of ['uv_run', '_ZN2v86Obj']) {
      const spoilt = renamed('napi_create_object', foreign, built);
      const { code, output } = check(t, { [windows]: spoilt });
      t.equal(code, 1);
      t.match(output, `imports ${foreign}`);
    }
    t.end();
  },
);
