/** Without a sidecar the lock is the one that other programs take: flock(1), from util-linux. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import t from 'tap';

import { lock, tryLock } from '../../lib/index.js';
import { untilBlocked } from '../helpers/kernel.js';

execFileSync('flock', ['--version']); // a machine without it fails here, and says why

const flockCode = (...args: string[]): number | null => spawnSync('flock', args).status;

await t.test('flock -n is refused while we hold the file, and the other way round', async (t) => {
  const file = join(t.testdir({ data: '' }), 'data');
  const held = await lock(file, { sidecar: false });
  t.equal(flockCode('-n', file, 'true'), 1);
  t.equal(flockCode('-n', '-s', file, 'true'), 1);
  held.release();
  t.equal(flockCode('-n', file, 'true'), 0);

  const shared = await lock(file, { sidecar: false, shared: true });
  t.equal(flockCode('-n', '-s', file, 'true'), 0);
  t.equal(flockCode('-n', file, 'true'), 1);
  shared.release();

  const other = spawn('flock', [file, 'cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  other.stdin.write('locked\n');
  await once(other.stdout, 'data');
  t.equal(tryLock(file, { sidecar: false }), null);
  const wait = lock(file, { sidecar: false });
  await untilBlocked(file);
  other.stdin.end();
  (await wait).release();
});

await t.test('the sidecar is locked as any file: flock(1) sees it too', async (t) => {
  const resource = join(t.testdir(), 'data');
  const held = await lock(resource);
  t.equal(flockCode('-n', held.lockPath, 'true'), 1);
  held.release();
  t.equal(flockCode('-n', held.lockPath, 'true'), 0);
});
