// Kill torture: processes and worker threads take the same file locks and leases, and one after the
// other is killed, wherever it happens to be.
//
// Most are children of a small program in C++ (crowd.cc), which goes through the addon's own code;
// a process that is killed there has a successor in a tenth of a millisecond. Beside them run Node
// processes with the library as it is shipped (member.mjs), whose worker threads are terminated, and
// who are killed as well. The oracle (oracle.h) is a book in shared memory and a kind of lock that
// the library does not use. In the end every lock has to be free, and every token higher.
//
// A busy machine may keep a process waiting for more than two seconds, which is counted; twenty are
// a fault.
//
// First the crowd is built with faults in it: unless they are noticed, the rest proves nothing.
//
// Usage: run.mjs [--minutes N] [--kills N] [--seed S] [--dir FOLDER]; it ends with the first of both
// limits. FOLDER is where the locks are, in memory unless told otherwise: a kill does not ask for
// the disk. HOLDFAST_PACKAGE names the package.
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { campaignOptions, generator, library } from '../campaign.mjs';
import { Arena, kill, killCrowd, templates } from './arena.mjs';
import { files, names, readBook } from './book.mjs';
import { allNoticed } from './planted.mjs';
import { Workshop } from './workshop.mjs';

const options = campaignOptions(0.5, {
  kills: { type: 'string', default: 'Infinity' },
  dir: { type: 'string', default: existsSync('/dev/shm') ? '/dev/shm' : tmpdir() },
});
const { minutes, seed } = options;
const random = generator(seed);
const members = 2;

/** Whoever comes after the torture finds everything free, and is granted a higher token. */
async function aftermath({ folder, book }, faults) {
  const { Leases, lock } = await library();
  const leases = new Leases({ dir: join(folder, 'leases') });
  const { names: places } = readBook(book);
  for (let name = 0; name < names; name++) {
    try {
      if (name < files) {
        (await lock(join(folder, 'files', String(name)), { timeout: 5000 })).release();
        continue;
      }
      const lease = await leases.acquire(String(name), { timeout: 5000 });
      if (lease.token <= places[name].highest) faults.push(`${name}: token ${lease.token} again`);
      await lease.release();
    } catch (error) {
      faults.push(`lock ${name} afterwards: ${error.message}`);
    }
  }
  await leases.sweep();
  const left = readdirSync(join(folder, 'leases')).filter((f) => !/\.(guard|queue)$/.test(f));
  if (left.length > 0) faults.push(`left over: ${left.join(', ')}`);
}

async function torture(workshop, newArena) {
  const arena = newArena();
  const found = [];
  let killed = 0;
  try {
    const crowd = arena.startCrowd(await workshop.crowd('sound-crowd'));
    const crew = Array.from({ length: members }, () => arena.startMember(workshop.witness));
    const begun = performance.now();
    const until = begun + minutes * 60_000;
    while (performance.now() < until) {
      const { kills, faults } = readBook(arena.book);
      if (kills + killed >= Number(options.kills) || faults > 20) break;
      await sleep(random() * 2000);
      const [victim] = crew.splice(Math.floor(random() * members), 1);
      await kill(victim);
      killed++;
      crew.push(arena.startMember(workshop.witness));
    }
    const seconds = (performance.now() - begun) / 1000;
    for (const process of crew) await kill(process);
    await killCrowd(crowd, arena);
    await aftermath(arena, found);
    return { ...readBook(arena.book), killed, seconds, found };
  } finally {
    arena.remove();
  }
}

const folder = mkdtempSync(join(tmpdir(), 'holdfast-torture-'));
try {
  const workshop = await Workshop.open(folder);
  const shapes = await templates();
  const newArena = () => new Arena(options.dir, shapes, Math.floor(random() * 2 ** 31));
  const caught = await allNoticed(workshop, newArena);
  const all = await torture(workshop, newArena);
  for (const fault of all.found) console.log(`  ${fault}`);
  const { kills, killed, seconds, acquisitions } = all;
  const rate = (count) => `${(count / seconds).toFixed(0)}/s`;
  console.log(
    `torture: seed ${seed}, ${seconds.toFixed(0)} s, ${kills + killed} kills (${rate(kills + killed)}; ` +
      `${all.killedInside} of holders, ${all.killedAsking} while they asked, ${all.killedReleasing} ` +
      `while they gave back, ${killed} of Node), ${all.threads} threads terminated, ` +
      `${acquisitions} acquisitions (${rate(acquisitions)}; ${all.files} of files, ` +
      `${all.attached} attached, ${all.detached} detached, ${all.late} of them too late), ` +
      `${all.timeouts} time-outs, longest wait ${(all.longestNs / 1e6).toFixed(0)} ms ` +
      `(${all.slow} above 2000)`,
  );
  console.log(
    `torture: ${all.overlaps} overlaps, ${all.lost} lost updates, ${all.regressions} tokens not above ` +
      `the last, ${all.stuck} stuck, ${all.failures + all.found.length} other faults`,
  );
  const faultless = all.faults + all.lost + all.found.length === 0;
  if (!caught || !faultless || kills === 0 || killed === 0) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true });
}
