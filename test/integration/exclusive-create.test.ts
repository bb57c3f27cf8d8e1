/** createExclusive: one creator, and a complete file or none. */
import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import t from 'tap';

import { createExclusive } from '../../lib/native.js';
import { resources } from '../helpers/kernel.js';
import { Peer, type PeerError } from '../helpers/peer.js';
import { callsOf, runTraced } from '../helpers/strace.js';

const bytes = Buffer.from('contents');
const library = JSON.stringify(new URL('../../lib/native.js', import.meta.url).href);
const script = (path: string): string =>
  `import { createExclusive } from ${library};
   try { createExclusive(${JSON.stringify(path)}, Buffer.from('contents'), { durable: true }); }
   catch (e) { console.log(e.code, e.syscall); }`;

await t.test('32 processes, 20 rounds: one creator each', async (t) => {
  const folder = t.testdir();
  const peers = await Peer.startAll(t, 32);
  for (let round = 0; round < 20; round++) {
    const path = join(folder, `file${round}`);
    const outcomes = await Promise.allSettled(peers.map((p, i) => p.call('create', path, `${i}`)));
    const winners = outcomes.flatMap(({ status }, i) => (status === 'fulfilled' ? [i] : []));
    t.equal(winners.length, 1);
    t.equal(readFileSync(path, 'utf8'), String(winners[0]));
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') t.equal((outcome.reason as PeerError).code, 'EEXIST');
    }
  }
});

await t.test('a second call, a link, a missing folder', (t) => {
  const folder = t.testdir();
  const path = join(folder, 'file');
  const before = resources().descriptors;
  createExclusive(path, bytes, { durable: true, mode: 0o640 });
  t.equal(readFileSync(path, 'utf8'), 'contents');
  t.equal(statSync(path).mode & 0o777, 0o640);
  t.throws(
    () => {
      createExclusive(path, bytes, { durable: true });
    },
    { code: 'EEXIST', syscall: 'open', path },
  );
  symlinkSync('nowhere', join(folder, 'link'));
  t.throws(
    () => {
      createExclusive(join(folder, 'link'), bytes, { durable: false });
    },
    { code: 'EEXIST' },
  );
  t.throws(
    () => {
      createExclusive(join(folder, 'no', 'file'), bytes, { durable: false });
    },
    { code: 'ENOENT' },
  );
  createExclusive(join(folder, 'empty'), Buffer.alloc(0), { durable: true });
  t.equal(resources().descriptors, before);
  t.end();
});

const noMount = process.getuid?.() !== 0 && 'mounting a small filesystem takes root';

await t.test('no room: ENOSPC leaves no file', { skip: noMount }, (t) => {
  const mount = mkdtempSync(join(tmpdir(), 'holdfast-small-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', mount]);
  t.teardown(() => {
    execFileSync('umount', [mount]);
    rmSync(mount, { recursive: true });
  });
  const path = join(mount, 'file');
  t.throws(
    () => {
      createExclusive(path, Buffer.alloc(64 * 1024), { durable: true });
    },
    { code: 'ENOSPC', syscall: 'write' },
  );
  t.strictSame(readdirSync(mount), []);
  createExclusive(path, bytes, { durable: true });
  t.equal(readFileSync(path, 'utf8'), 'contents');
  t.end();
});

await t.test('O_EXCL, then fsync of the file, then fsync of its directory', (t) => {
  const path = join(t.testdir(), 'file');
  const { trace } = runTraced(t, script(path), {
    calls: 'openat,write,pwrite64,fsync,fdatasync,close',
  });
  const calls = callsOf(trace, path);
  t.match(calls[0], /openat\(.*O_RDWR\|O_CREAT\|O_EXCL\|.*O_NOFOLLOW\|O_CLOEXEC/);
  t.strictSame(
    calls.map((line) => /(\w+)\(/.exec(line)?.[1]),
    ['openat', 'pwrite64', 'fsync', 'close'],
  );
  const folder = callsOf(trace, dirname(path)).filter((line) => line.includes(' fsync('));
  t.equal(folder.length, 1);
  t.ok(trace.indexOf(folder[0] ?? '') > trace.indexOf(calls[2] ?? ''), 'the directory comes last');
  t.end();
});

for (const [which, occurrence] of [
  ['file', 1],
  ['directory', 2],
] as const) {
  await t.test(`EIO on the fsync of the ${which} leaves no file`, (t) => {
    const folder = t.testdir();
    const { trace, stdout } = runTraced(t, script(join(folder, 'file')), {
      calls: 'fsync,unlink',
      inject: `fsync:error=EIO:when=${occurrence}`,
    });
    t.equal(stdout, 'EIO fsync\n');
    t.strictSame(readdirSync(folder), []);
    t.equal(
      trace.filter((line) => line.includes('fsync(')).length,
      occurrence,
      'never a second try',
    );
    t.end();
  });
}

await t.test('a file that an outsider has put there meanwhile is not ours to remove', async (t) => {
  const path = join(t.testdir(), 'file');
  // The fsync fails after a second; until then our file is there, to be replaced.
  const inject = 'inject=fsync:error=EIO:delay_enter=1000000:when=1';
  const strace = ['-f', '-qq', '-o', '/dev/null', '-e', 'trace=fsync', '-e', inject];
  const child = spawn(
    'strace',
    [...strace, process.execPath, '--input-type=module', '-e', script(path)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const output = text(child.stdout);
  while (!existsSync(path) && child.exitCode === null) await setTimeout(1);
  rmSync(path, { force: true });
  writeFileSync(path, 'theirs');
  t.equal(await output, 'EIO fsync\n');
  t.equal(readFileSync(path, 'utf8'), 'theirs');
});
