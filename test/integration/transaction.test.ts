/**
 * A transaction that is cut short: by SIGKILL at each of its system calls, by errors, by a full
 * disk. The record is the old one, the new one, or none; the next grant works, with a higher token.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import t from 'tap';

import { addon } from '../../lib/native.js';
import { transact, type LeaseFiles } from '../../lib/transaction.js';
import { full } from '../helpers/counting.js';
import { blankRecord, Holder, leaseFiles } from '../helpers/leases.js';
import { childEnv } from '../helpers/peer.js';

const fixture = fileURLToPath(new URL('../fixtures/lease-op.mjs', import.meta.url));

function operate(base: string, operations: string[], strace: string[] = []): string[] {
  const command = [process.execPath, fixture, base, ...operations];
  const paths = ['.guard', '.lock', '.new', '.freeze'].flatMap((suffix) => ['-P', base + suffix]);
  const [program = '', ...args] =
    strace.length === 0
      ? command
      : [
          'strace',
          '-f',
          '-qq',
          '-o',
          '/dev/null',
          ...paths,
          '-P',
          dirname(base),
          ...strace,
          ...command,
        ];
  const result = spawnSync(program, args, { encoding: 'utf8', env: childEnv() });
  if (result.error !== undefined) throw result.error;
  return result.stdout.trimEnd().split('\n');
}

const whole = (bytes: Buffer): boolean => {
  if (bytes.length < 100) return false;
  const zeroed = Buffer.from(bytes);
  zeroed.write('00000000', 21, 'latin1');
  return crc32(zeroed).toString(16).padStart(8, '0') === bytes.toString('latin1', 21, 29);
};

/** Takes the lease whatever stands there, as long as nobody lives; the token. */
async function takeOver(files: LeaseFiles): Promise<bigint> {
  const holder = new Holder(files);
  const { found } = await holder.look();
  const expect = { record: found.record ?? ('absent' as const), dead: true };
  const record = blankRecord('f');
  const result = await holder.run(expect, { kind: 'grant', record, attach: true, durable: false });
  await holder.drop();
  addon.release(holder.handle);
  return result.done ? (result.grant?.token ?? 0n) : 0n;
}

const lastToken = (lines: string[]): bigint =>
  lines.reduce((last, line) => {
    const granted = /^done (\d+)/.exec(line)?.[1];
    return granted === undefined ? last : BigInt(granted);
  }, 0n);

const calls = ['openat', 'flock', 'newfstatat', 'pread64', 'pwrite64', 'fsync', 'rename', 'unlink'];

for (const operations of [
  ['grant', 'renew', 'remove'],
  ['durable', 'replace'],
  ['grant', 'usurp', 'freeze'],
]) {
  await t.test(`SIGKILL at every call: ${operations.join(', ')}`, async (t) => {
    let killed = 0;
    for (const call of calls) {
      for (let nth = 1; nth <= (full ? 12 : 1); nth++) {
        const files = leaseFiles(t, `${call}-${nth}`);
        const before = await takeOver(files);
        const lines = operate(files.base, operations, [
          '-e',
          `inject=${call}:signal=KILL:when=${nth}`,
        ]);
        if (lines.length === operations.length) break; // fewer such calls than that
        killed++;
        const at = `${call} ${nth}`;
        const holder = new Holder(files);
        const { found } = await holder.look();
        t.equal(found.alive, false, `${at}: nobody holds it`);
        if (operations.includes('durable') && found.record !== null) {
          t.ok(whole(found.record) || lastToken(lines) === 0n, `${at}: granted means whole`);
        }
        const after = await takeOver(files);
        t.ok(after > before && after > lastToken(lines), `${at}: ${after} is a higher token`);
      }
    }
    t.ok(killed >= (full ? 10 : 5), `${killed} kills`);
  });
}

await t.test('every call fails: a typed error or success, nothing half done', async (t) => {
  let failures = 0;
  for (const [call, code] of [
    ['openat', 'EMFILE'],
    ['flock', 'ENOLCK'],
    ['newfstatat', 'EIO'],
    ['pread64', 'EIO'],
    ['pwrite64', 'ENOSPC'],
    ['fsync', 'EIO'],
    ['rename', 'EIO'],
    ['unlink', 'EROFS'],
  ] as const) {
    for (let nth = 1; nth <= (full ? 12 : 1); nth++) {
      const files = leaseFiles(t, `${call}-${nth}`);
      const inject = ['-e', `inject=${call}:error=${code}:when=${nth}`];
      const lines = operate(
        files.base,
        ['grant', 'renew', 'remove', 'durable', 'replace', 'freeze'],
        inject,
      );
      const failed = lines.filter((line) => !/^(done|conflict)/.test(line));
      failures += failed.length;
      for (const line of failed) t.match(line, new RegExp(`^ERR_LOCK_SYSTEM ${code} \\w+$`));
      const holder = new Holder(files);
      const { found } = await holder.look();
      if (found.record !== null) t.ok(whole(found.record), `${call} ${nth}: a whole record`);
      t.ok((await takeOver(files)) > lastToken(lines), `${call} ${nth}: works again`);
      t.notOk(existsSync(`${files.base}.new`));
    }
  }
  t.ok(failures >= 15, `${failures} failures`);
});

await t.test(
  'a renewal whose directory cannot be synced: an error, and the lease stays',
  async (t) => {
    const files = leaseFiles(t);
    await takeOver(files);
    // The second fsync of a thread: the grant syncs the guard alone, the renewal its file before.
    const inject = ['-e', 'inject=fsync:error=EIO:when=2'];
    const lines = operate(files.base, ['grant', 'replace'], inject);
    t.equal(lines[1], 'ERR_LOCK_SYSTEM EIO fsync');
    const { found } = await new Holder(files).look();
    t.equal(found.record?.toString('latin1', 40, 60), String(lastToken(lines)).padStart(20, '0'));
  },
);

await t.test('a ceiling before its tokens: one sync for many, whoever is granted them', (t) => {
  const files = leaseFiles(t);
  const log = join(dirname(files.base), '..', 'trace');
  const grants = Array.from({ length: 50 }, () => ['grant', 'remove']).flat();
  const syncs = (): string[] =>
    readFileSync(log, 'utf8')
      .split('\n')
      .filter((line) => /f(data)?sync\(/.test(line));
  operate(files.base, grants, ['-o', log, '-e', 'trace=fsync,fdatasync']);
  t.equal(syncs().length, 2, 'the guard and its directory, for 50 tokens');
  operate(files.base, ['grant', 'remove'], ['-o', log, '-e', 'trace=fsync,fdatasync']);
  t.equal(syncs().length, 0, 'another process goes on below that ceiling');
  t.end();
});

await t.test('processes in turn: tokens rise, nobody gets one twice', async (t) => {
  const files = leaseFiles(t);
  let last = 0n;
  for (let round = 0; round < 5; round++) {
    for (const line of operate(files.base, ['grant', 'remove', 'grant', 'remove'])) {
      const granted = lastToken([line]);
      if (granted === 0n) continue;
      t.ok(granted > last, `${granted} > ${last}`);
      last = granted;
    }
    const mine = await takeOver(files);
    t.ok(mine > last);
    last = mine;
  }
});

await t.test(
  'a full disk: nothing granted, no left-overs, and then it works',
  { skip: process.getuid?.() !== 0 && 'mounting a small filesystem takes root' },
  async (t) => {
    const mount = mkdtempSync(join(tmpdir(), 'holdfast-small-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', mount]);
    t.teardown(() => {
      execFileSync('umount', [mount]);
      rmSync(mount, { recursive: true });
    });
    mkdirSync(join(mount, 'leases'));
    const files = { base: join(mount, 'leases', 'build'), mode: 0o600, allowNetwork: false };
    const before = await takeOver(files);
    const holder = new Holder(files);
    const record = blankRecord('a', `"name":"test","meta":"${'x'.repeat(32 * 1024)}"`);
    const grant = { kind: 'grant', record, attach: true, durable: true } as const;
    await t.rejects(transact(files, { record: 'absent' }, grant, holder.handle), {
      code: 'ERR_LOCK_SYSTEM',
      cause: { code: 'ENOSPC', syscall: 'write' },
    });
    t.strictSame(readdirSync(dirname(files.base)), ['build.guard']);
    t.ok((await takeOver(files)) > before);
  },
);
