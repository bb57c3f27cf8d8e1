// Pauses: processes that hold a lease are stopped (SIGSTOP) for longer than its TTL, and go on. A
// lease cannot keep such a process from its next write; the resource can, by the fencing token.
//
// The oracle is the resource (resource.mjs), which knows nothing of holdfast: no write is accepted
// after one with a higher token, no token is granted twice. The overlaps beside that are the writes
// that a resource without the check would have accepted. When the pauses end, the next grant has to
// come within two seconds; a busy machine may be late for that, which is counted, and none at all in
// twenty is a fault.
//
// First a resource that checks nothing is paused at: unless it goes back, the rest proves nothing.
//
// Usage: run.mjs [--minutes N] [--pauses N] [--seed S]; it ends with the first of both limits.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { campaignOptions, generator } from '../campaign.mjs';
import { Resource } from './resource.mjs';

const options = campaignOptions(0.5, { pauses: { type: 'string', default: 'Infinity' } });
const { minutes, seed } = options;
const random = generator(seed);
const program = fileURLToPath(new URL('worker.mjs', import.meta.url));
const crew = 3;
const ttlMs = 150;
const soonMs = 2000;
const stuckMs = 20_000;

async function pausesAt(fenced, pauses, until) {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-pauses-'));
  const socket = join(folder, 'resource');
  const resource = new Resource(socket, fenced);
  const workers = Array.from({ length: crew }, (_, number) =>
    spawn(process.execPath, [program, join(folder, 'leases'), socket, String(number)], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, NODE_OPTIONS: '' },
    }),
  );
  const { total } = resource;
  let paused = 0;
  let slowest = 0;
  let late = 0;
  try {
    const begun = async (since, withinMs) => {
      while (resource.grantedAt < since && performance.now() < since + withinMs) await sleep(5);
      return resource.grantedAt - since;
    };
    await begun(performance.now(), 60_000);
    while (paused < pauses && performance.now() < until && (fenced || total.faults.length === 0)) {
      const holder = resource.holder();
      if (holder === undefined) {
        await sleep(2);
        continue;
      }
      const { pid } = workers[holder];
      process.kill(pid, 'SIGSTOP');
      await sleep(ttlMs * (1.2 + random() * 1.5));
      process.kill(pid, 'SIGCONT');
      paused++;
      if (paused % 20 === 0) {
        const took = await begun(performance.now(), stuckMs);
        slowest = Math.max(slowest, took);
        if (took > soonMs) late++;
        if (took < 0) total.faults.push(`no grant for ${stuckMs} ms`);
      }
      await sleep(random() * 40);
    }
  } finally {
    const ended = workers.map((worker) => once(worker, 'exit'));
    for (const worker of workers) worker.kill('SIGKILL');
    await Promise.all(ended);
    resource.close();
    rmSync(folder, { recursive: true });
  }
  return { ...total, paused, slowest, late };
}

const planted = await pausesAt(false, 500, performance.now() + 60_000);
const caught = planted.faults.some((fault) => fault.includes('was written after'));
console.log(
  `without the check: ${caught ? 'caught' : 'NOT caught'} after ${planted.paused} pauses`,
);

const until = performance.now() + minutes * 60_000;
const { paused, grants, writes, refused, overlaps, failed, slowest, late, faults } = await pausesAt(
  true,
  Number(options.pauses),
  until,
);
for (const fault of faults.slice(0, 20)) console.log(`  ${fault}`);
console.log(
  `pauses: seed ${seed}, ${paused} pauses, ${grants} grants, ${failed} lost, ${writes} writes accepted, ` +
    `${refused} stale writes refused, ${overlaps} overlaps without fencing ` +
    `(${((100 * overlaps) / (writes + refused)).toFixed(2)} % of writes), ` +
    `next grant after the pauses in ${slowest.toFixed(0)} ms at most (${late} after more than ${soonMs}), ${faults.length} faults`,
);
if (!caught || faults.length > 0 || paused === 0 || overlaps === 0) process.exitCode = 1;
