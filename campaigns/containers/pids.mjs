// Pids that are used again: a holder is killed, and the next process gets its pid, by ns_last_pid of a
// pid namespace (pid_namespaces(7)). That is first a bystander, and then a holder, which finds its own
// pid in the record. Nobody may be kept out by a pid that lives, nor be let in by one that is one's own.
//
// Usage, as process 1 of such a namespace: pids.mjs ROOT FOLDER TIMES
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { library } from '../campaign.mjs';
import { LeaseProcess } from '../lease-process.mjs';

const [root, folder, times] = process.argv.slice(2);
const { Leases, tryLock } = await library(root);
const dir = join(folder, 'leases');
const resource = join(folder, 'resource');
const leases = new Leases({ dir });
const faults = [];
const demand = (holds, what) => {
  if (!holds) faults.push(what);
};

/** What `start` spawns has the pid; somebody else may get it first, a thread of ours. */
async function withPid(pid, start, end) {
  for (let tries = 0; tries < 100; tries++) {
    writeFileSync('/proc/sys/kernel/ns_last_pid', String(pid - 1));
    const started = start();
    if (started.pid === pid) return started;
    await end(started);
  }
  throw new Error(`the pid ${pid} cannot be had again`);
}

const startHolder = () => new LeaseProcess(root, dir);
const endHolder = (holder) => holder.kill();
const startBystander = () => spawn('sleep', ['600'], { stdio: 'ignore' });
async function endBystander(child) {
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

/** The lease and the file lock of the dead, for this process; and given back. */
async function inherit(what) {
  const lease = await leases.tryAcquire('it');
  demand(
    lease?.previous?.end === 'crashed',
    `${what}: a lease ${lease?.previous?.end ?? 'is denied'}`,
  );
  await lease?.release();
  const lock = tryLock(resource);
  demand(lock !== null, `${what}: a file lock is denied`);
  lock?.release();
}

let reused = 0;
let holder = startHolder();
const { pid } = holder;
await holder.ready;
for (let time = 0; time < Number(times) && faults.length < 5; time++) {
  const lease = await holder.call('tryAcquire', 'it', { ttl: '1h' });
  const lock = await holder.call('tryLock', resource);
  demand(lease !== null && lock !== null, 'a free one is denied');
  if (lease !== null) {
    // Of a holder that lives, whatever lives by its pid.
    demand(JSON.parse(readFileSync(join(dir, 'it.lock'))).pid === pid, `another pid than ${pid}`);
    demand((await leases.tryAcquire('it')) === null, 'two holders');
    demand(tryLock(resource) === null, 'two holders of the file lock');
  }
  await holder.kill();
  if (time % 2 === 0) {
    const bystander = await withPid(pid, startBystander, endBystander);
    await inherit('the pid of a bystander');
    await endBystander(bystander);
    holder = await withPid(pid, startHolder, endHolder);
    await holder.ready;
  } else {
    holder = await withPid(pid, startHolder, endHolder);
    await holder.ready;
    const next = await holder.call('tryAcquire', 'it', { ttl: '1h' });
    demand(next?.end === 'crashed', `its own pid: a lease ${next?.end ?? 'is denied'}`);
    if (next !== null) await holder.call('release', next.key);
    const again = await holder.call('tryLock', resource);
    demand(again?.previous === pid, `its own pid: a file lock, previous ${again?.previous}`);
    if (again !== null) await holder.call('release', again.key);
  }
  reused++;
}
await holder.kill();
console.log(JSON.stringify({ reused, faults }));
