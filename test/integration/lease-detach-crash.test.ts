/**
 * Detach against crash: SIGKILL at the system calls of an acquire and a detach. The lease is dead, or it
 * stands without its process; it is never both, and never one that nobody can judge.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';

import { Leases } from '../../lib/index.js';
import { full } from '../helpers/counting.js';
import { packageRoot } from '../helpers/peer.js';
import { runTraced } from '../helpers/strace.js';

const calls = full
  ? ['openat', 'flock', 'newfstatat', 'pread64', 'pwrite64', 'fsync', 'rename', 'unlink', 'close']
  : ['pwrite64', 'fsync', 'rename'];
const library = pathToFileURL(join(packageRoot, 'lib/index.js')).href;

await t.test('SIGKILL at every call', async (t) => {
  const folder = t.testdir();
  const seen = { dead: 0, 'left detached': 0, 'not granted': 0 };
  for (const call of calls) {
    for (let nth = 1; nth <= 20; nth++) {
      const dir = join(folder, `${call}-${nth}`);
      const leases = new Leases({ dir });
      await (await leases.acquire('build')).release(); // or the new guard would be synced
      const script = `
        import { Leases } from ${JSON.stringify(library)};
        const lease = await new Leases({ dir: ${JSON.stringify(dir)} }).acquire('build', { ttl: '1m' });
        console.log(String(lease.token));
        await lease.detach({ ttl: '1h' });
        console.log('detached');`;
      const { stdout } = runTraced(t, script, {
        calls: call,
        inject: `${call}:signal=KILL:when=${nth}`,
        path: [dir, join(dir, 'build.lock'), join(dir, 'build.new')],
      });
      const [token, detached] = stdout.trimEnd().split('\n');
      const info = await leases.inspect('build');
      const at = `${call} ${nth}`;
      if (info?.kind === 'detached') {
        t.match(info, { state: 'held', ttl: 3_600_000, token: BigInt(token ?? 0) }, at);
        t.equal(await leases.tryAcquire('build'), null, at);
        t.match(await leases.break('build', { force: true }), { id: info.id }, at);
        if (detached === undefined) seen['left detached']++;
      } else {
        t.notOk(detached, `${at}: what was answered stands`);
        const state = info?.state ?? 'nothing';
        if (token) t.match(info, { state: 'dead', kind: 'attached', token: BigInt(token) }, at);
        else t.ok(['dead', 'corrupt', 'nothing'].includes(state), `${at}: ${state}`);
        seen[token ? 'dead' : 'not granted']++;
      }
      const next = await leases.acquire('build', { timeout: 30_000 });
      t.ok(next.token > BigInt(token ?? 0), `${at}: a higher token`);
      await next.release();
      await leases.sweep();
      t.notOk(existsSync(join(dir, 'build.new')), `${at}: nothing is left over`);
      if (detached !== undefined) break; // fewer such calls than that
    }
  }
  t.comment(JSON.stringify(seen));
  t.ok(seen.dead > 0, 'killed before');
  t.ok(seen['left detached'] > 0, 'killed after, and before it was answered');
});
