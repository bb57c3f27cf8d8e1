// What a user's program does with the library, be it bundled or not; run.mjs looks at what it prints.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Leases, LockError, tryLock, withLock } from 'holdfast';
import { etcd } from 'holdfast/etcd';

async function main() {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-project-'));
  const file = join(folder, 'data');
  const held = tryLock(file);
  const refused = tryLock(file) === null;
  held?.release();
  const within = await withLock(file, (lock) => lock.held);

  const leases = new Leases({ dir: join(folder, 'leases') });
  const code = await leases.with('deploy', async () => {
    const rival = await leases.acquire('deploy', { timeout: 0 }).catch((error) => error);
    return rival instanceof LockError ? rival.code : 'granted';
  });
  rmSync(folder, { recursive: true });
  console.log(JSON.stringify({ refused, within, code, etcd: typeof etcd }));
}

void main();
