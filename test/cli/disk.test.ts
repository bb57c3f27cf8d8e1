/** Disks that are full or read-only: each command says so, and leaves nothing behind. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { Leases } from '../../lib/index.js';
import { callMain } from '../helpers/cli.js';

/** A line, and its exit code where the disk is full, and where it is read-only. `x` is held. */
const rows: readonly (readonly [line: string, full: number, readOnly: number])[] = [
  ['lock new', 1, 1],
  ['lock new --ttl 1m --wait', 1, 1],
  ['lock x', 2, 1],
  ['lock x --owner other', 1, 1],
  ['guard new -- true', 1, 1],
  ['guard x -- true', 2, 1],
  ['unlock x', 4, 1],
  ['unlock x --break-stale', 2, 1],
  ['freeze x --ttl 1m', 1, 1],
  ['freeze new --ttl 1m', 1, 1],
  ['unfreeze x', 3, 1],
  ['status --prune', 0, 1],
  ['status', 0, 0],
  ['exists x', 0, 1],
  ['why x', 2, 1],
  ['audit', 0, 0],
];

/** A tmpfs of four pages, with a lease on it. */
async function smallDisk(t: Test): Promise<string> {
  const mount = mkdtempSync(join(tmpdir(), 'holdfast-small-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', mount]);
  t.teardown(() => {
    execFileSync('umount', ['-l', mount]);
    rmSync(mount, { recursive: true });
  });
  const leases = new Leases({ dir: join(mount, 'leases'), owner: 'other' });
  await leases.acquire('x', { detached: true, ttl: '1h' });
  return mount;
}

for (const state of ['full', 'read-only'] as const) {
  const options = { skip: process.getuid?.() !== 0 && 'mounting a small filesystem takes root' };
  await t.test(state, options, async (t) => {
    const mount = await smallDisk(t);
    if (state === 'read-only') execFileSync('mount', ['-o', 'remount,ro', mount]);
    else t.throws(() => writeFileSync(join(mount, 'filler'), Buffer.alloc(16_384)), /ENOSPC/);
    const dir = join(mount, 'leases');
    const env = { HOLDFAST_ROOT: dir, HOLDFAST_OWNER: 'me' };
    const reason = state === 'full' ? 'ENOSPC' : 'EROFS';
    const record = readFileSync(join(dir, 'x.lock'));
    for (const [line, full, readOnly] of rows) {
      const expected = state === 'full' ? full : readOnly;
      const { code, out, err } = await callMain(line.split(' '), env);
      t.equal(code, expected, `${line}: ${out}${err}`);
      if (expected === 1)
        t.match(err, new RegExp(`^holdfast \\w+: .+/(new|x)\\.\\w+: ${reason} \\(\\w+\\)\n$`));
      // A guard is for ever, and so is the log.
      const left = readdirSync(dir).filter((name) => !/^(new|x)\.guard$|^audit\.log$/.test(name));
      t.strictSame(left, ['x.lock'], `${line}: nothing left`);
      t.strictSame(readFileSync(join(dir, 'x.lock')), record, 'and the record is what it was');
    }
    if (state === 'read-only') return;
    // What takes no room goes on: nobody has to make room before a lease can be given back.
    t.match(await callMain(['unlock', 'x', '--owner', 'other'], env), {
      code: 0,
      out: /^unlocked/,
    });
    rmSync(join(mount, 'filler'));
    t.match(await callMain(['lock', 'new'], env), { code: 0, err: '' });
  });
}
