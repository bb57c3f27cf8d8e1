// Herds and churn: many who want the same, very many locks at once, and a long day in a few minutes.
//
// - Herds at leases of the dead, at expired and at frozen ones (herds.mjs).
// - Ten thousand leases in one process, and a thousand waits at once (crowd.mjs): what they cost, and
//   that nothing is left of them.
// - A long day (day.mjs): descriptors, threads, memory and files do not grow.
//
// First a library is tried that takes leases before their end, one that leaks a descriptor with each
// release, and one that forgets no lease: unless that is noticed, the rest proves nothing.
//
// Usage: run.mjs [--minutes N] [--seed S] [--dir FOLDER]; the day has N minutes. FOLDER is where the locks
// are, in memory unless told otherwise. HOLDFAST_PACKAGE names the package.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { brokenPackage, campaignOptions, library, testedRoot } from '../campaign.mjs';
import { Workshop } from '../torture/workshop.mjs';
import { day } from './day.mjs';
import { herds } from './herds.mjs';
import { Peer } from './peer.mjs';

const { minutes, seed, dir } = campaignOptions(0.5, {
  dir: { type: 'string', default: existsSync('/dev/shm') ? '/dev/shm' : tmpdir() },
});
/** On a busy machine the first may be too short. */
const plantedMinutes = [0.08, 0.3];
const waits = 1000;
const mib = 2 ** 20;

const planted = [
  {
    what: 'a descriptor leaks with each release',
    word: 'descriptors',
    file: 'lib/store/holding.js',
    from: 'own.close(); // if it could not be removed, it is the record of somebody dead',
    to: '',
  },
  {
    what: 'leases are not forgotten',
    word: 'heap',
    file: 'lib/lease-watch.js',
    from: 'watched.delete(lease);',
    to: '',
  },
];

const early = {
  what: 'a detached lease is taken before its end',
  file: 'lib/staleness.js',
  from: "['detached', '*', '*', '*', 'held', 'detached'],",
  to: "['detached', '*', '*', '*', 'expired', 'ttl over'],",
};

async function earlyNoticed(folder, witness) {
  const { root, remove } = brokenPackage(early);
  try {
    const trial = { folder, witness, root, rounds: 1, name: 'early', quiet: true };
    const fault = (await herds(trial)).find((text) => text.includes('too early'));
    console.log(`${early.what}: ${fault === undefined ? 'NOT caught' : `caught, ${fault}`}`);
    return fault !== undefined;
  } finally {
    remove();
  }
}

async function noticed(fault, folder) {
  const { root, remove } = brokenPackage(fault);
  try {
    for (const minutes of plantedMinutes) {
      const trial = { folder, root, minutes, seed, name: `${fault.word} ${minutes}`, quiet: true };
      const [grown] = (await day(trial)).filter((text) => text.includes(`${fault.word} of`));
      console.log(`${fault.what}: ${grown === undefined ? 'NOT caught' : `caught, ${grown}`}`);
      if (grown !== undefined) return true;
    }
    return false;
  } finally {
    remove();
  }
}

/** What is there afterwards that was not there before. */
function remains(what, before, after) {
  const faults = [];
  for (const kind of ['descriptors', 'threads']) {
    const [had, has] = [before[kind], after[kind]];
    if (has > had) faults.push(`${what}: ${has} ${kind} afterwards, ${had} before`);
  }
  return faults;
}

/** As many as there are descriptors for, up to ten thousand. */
function manyNames() {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  const most = Number(/^Max open files +\S+ +(\d+)/m.exec(limits)?.[1] ?? Infinity);
  return Math.min(10_000, most - 200);
}

async function names(peer, faults) {
  const count = manyNames();
  await peer.call('names', count, 0); // the first time, caches are filled and guards are made
  const seen = await peer.call('names', count, 2500); // two looks of the library after all of them
  const { before, together, after, listed, swept } = seen;
  faults.push(...remains(`${count} names`, before, after));
  if (listed !== count) faults.push(`${listed} of ${count} names are listed`);
  if (swept !== 0) faults.push(`${swept} leases were stale`);
  if (after.heap > before.heap + 2 * mib) faults.push(`heap from ${before.heap} to ${after.heap}`);
  const each = (ms) => `${((ms * 1000) / count).toFixed(0)} us`;
  console.log(
    `names: ${count} at once, a grant ${each(seen.grantMs)}, a release ${each(seen.releaseMs)}, list ` +
      `${each(seen.listMs)}, sweep ${each(seen.sweepMs)} each; ${together.descriptors - before.descriptors} ` +
      `descriptors, ${((together.rss - before.rss) / mib).toFixed(1)} MiB; the look at all of them held the ` +
      `event loop for ${seen.lookMs.toFixed(0)} ms at most`,
  );
}

async function waiters(peer, folder, faults) {
  const { Leases, lock } = await library();
  const leases = new Leases({ dir: join(folder, 'leases') });
  for (const kind of ['file lock', 'lease']) {
    for (const alone of [true, false]) {
      const held = [];
      for (let i = 0; i < (alone ? 1 : waits); i++) {
        const name = `wait ${i}`;
        const take = kind === 'lease' ? leases.acquire(name) : lock(join(folder, 'files', name));
        held.push(await take);
      }
      const { before, waiting } = await peer.call('wait', kind.replace(/ .*/, ''), alone, waits);
      const released = performance.timeOrigin + performance.now();
      for (const one of held) await one.release();
      const { last, after } = await peer.call('served');
      const what = `${waits} waits for ${alone ? 'one' : 'as many'} ${kind}${alone ? '' : 's'}`;
      faults.push(...remains(what, before, after));
      console.log(
        `waiters: ${what}: ${waiting.threads - before.threads} threads, ` +
          `${waiting.descriptors - before.descriptors} descriptors, ` +
          `${((waiting.rss - before.rss) / waits / 1024).toFixed(1)} KiB each; all served ` +
          `${(last - released).toFixed(0)} ms after the release, ` +
          `${(((last - released) * 1000) / waits).toFixed(0)} us each`,
      );
    }
  }
}

const build = mkdtempSync(join(tmpdir(), 'holdfast-churn-'));
const folder = mkdtempSync(join(dir, 'holdfast-churn-'));
const faults = [];
try {
  const { witness } = await Workshop.witness(build);
  let caught = await earlyNoticed(folder, witness);
  for (const fault of planted) caught = (await noticed(fault, folder)) && caught;
  const rounds = Math.max(2, Math.round(minutes * 4));
  faults.push(...(await herds({ folder, witness, root: testedRoot, rounds })));

  for (const part of ['leases', 'files']) mkdirSync(join(folder, part));
  const peer = await Peer.start('crowd.mjs', testedRoot);
  try {
    await peer.call('open', folder);
    await names(peer, faults);
    await waiters(peer, folder, faults);
  } finally {
    await peer.kill();
  }
  faults.push(...(await day({ folder, root: testedRoot, minutes, seed })));

  for (const fault of faults.slice(0, 20)) console.log(`  ${fault}`);
  console.log(`churn: seed ${seed}, ${minutes} minutes, ${faults.length} faults`);
  if (!caught || faults.length > 0) process.exitCode = 1;
} finally {
  rmSync(build, { recursive: true });
  rmSync(folder, { recursive: true });
}
