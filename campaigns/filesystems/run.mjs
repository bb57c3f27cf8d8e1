// Filesystems: on each of them processes take a lease and a file lock as often as they can, and are
// killed at random; and a table says whether the library excludes there, refuses to lock, or lets two
// holders in and cannot know. Where it refuses it is tried as well, with `network: 'allow'`, for the
// table alone. What this kernel lacks is tried in a guest (guest.sh).
//
// The oracle is a file elsewhere that must not exist yet (contender.mjs). Where the library is known to
// let two in, as with two overlays of one lower folder, the oracle has to notice, or it proves nothing.
//
// Usage: run.mjs [--grants N] [--kills N] [--minutes N] [--only NAMES] [--seed S]; so many on each
// filesystem, for so many minutes at most.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { campaignOptions, generator, library, testedRoot } from '../campaign.mjs';
import { filesystems, Missing, unmount } from './mounts.mjs';

const options = campaignOptions(10, {
  grants: { type: 'string', default: '10000' },
  kills: { type: 'string', default: '200' },
  only: { type: 'string', default: Object.keys(filesystems).join(';') },
});
const { minutes, seed } = options;
const program = fileURLToPath(new URL('contender.mjs', import.meta.url));
const random = generator(seed);
const crewSize = 3;

/** Contenders at these places, until there were enough grants and kills, or the time is up. */
async function contend(places, witness, { tolerant, blind, network }) {
  const total = { grants: 0, kills: 0, overlaps: 0, faults: [] };
  const crew = new Array(crewSize).fill();
  const start = (number) => {
    const args = [
      program,
      places[number % places.length],
      witness,
      String(Math.floor(random() * 2 ** 31)),
    ];
    const env = {
      ...process.env,
      NODE_OPTIONS: '',
      HOLDFAST_PACKAGE: testedRoot,
      NETWORK: network,
    };
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    child.closed = once(child, 'close');
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('grant')) total.grants++;
      else if (/^(overlap|token)/.test(line)) total.overlaps++;
      else total.faults.push(line);
    });
    createInterface({ input: child.stderr }).on('line', (line) => total.faults.push(line));
    crew[number] = child;
  };
  const end = async (number) => {
    const child = crew[number];
    child.kill('SIGKILL');
    await child.closed;
  };
  // A hundred grants may be one contender's, before the others have begun.
  const enough = () =>
    total.grants >= Number(options.grants) &&
    total.kills >= Number(options.kills) &&
    (!blind || total.overlaps > 0);
  const until = performance.now() + minutes * 60_000;
  for (let number = 0; number < crewSize; number++) start(number);
  try {
    while (!enough() && performance.now() < until && (tolerant || total.faults.length === 0)) {
      const before = total.grants;
      const patience = performance.now() + 60_000;
      // Somebody has to get on between two kills.
      const faults = total.faults.length;
      const still = () => total.grants < before + crewSize && total.faults.length === faults;
      while (still() && performance.now() < patience) await sleep(5);
      if (still() && total.grants === before) total.faults.push('no grant for a minute');
      await sleep(random() * 60);
      if (total.kills >= Number(options.kills)) continue;
      const number = Math.floor(random() * crewSize);
      await end(number);
      total.kills++;
      start(number);
    }
  } finally {
    for (let number = 0; number < crewSize; number++) await end(number);
  }
  return total;
}

/** Each once, whatever the path. */
function kindsOf(faults) {
  return new Set(faults.map((fault) => fault.replace(/cannot lock \S+: /, '')));
}

/** What the library does there, by what came of it. */
async function tryFilesystem(name, folder) {
  const { mount, expected } = filesystems[name];
  const { Leases, tryLock } = await library();
  const [place, witness] = ['place', 'witness'].map((part) => join(folder, part));
  mkdirSync(place);
  mkdirSync(witness);
  try {
    const places = await mount(place);
    const answers = [];
    for (const at of places) {
      const attempts = [
        async () => (await new Leases({ dir: join(at, 'leases') }).tryAcquire('first'))?.release(),
        async () => tryLock(join(at, 'first'))?.release(),
      ];
      for (const attempt of attempts) answers.push(await attempt().catch(({ code }) => code));
    }
    const refused = answers.every((code) => code === 'ERR_LOCK_FS_UNSUPPORTED');
    const how = {
      tolerant: expected !== 'excludes',
      blind: expected === 'cannot be detected',
      network: refused ? 'allow' : 'refuse',
    };
    const { grants, kills, overlaps, faults } = await contend(places, witness, how);
    const what = [`${grants} grants`, `${kills} kills`, `${overlaps} overlaps`, ...kindsOf(faults)];
    if (refused) {
      return { expected, found: 'refuses', what: `if it is allowed: ${what.join(', ')}` };
    }
    const two = expected === 'cannot be detected' && overlaps > 0;
    const sound = overlaps === 0 && faults.length === 0 && grants > 0;
    const found = two ? 'cannot be detected' : sound ? 'excludes' : 'FAULT';
    return { expected, found, what: what.join(', ') };
  } catch (error) {
    if (!(error instanceof Missing)) throw error;
    return { expected, found: 'SKIPPED', what: error.message };
  } finally {
    unmount(place);
  }
}

async function campaign() {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-filesystems-'));
  const names = options.only.split(';');
  let faults = 0;
  const tally = new Map();
  try {
    for (const [number, name] of names.entries()) {
      const its = join(folder, String(number));
      mkdirSync(its);
      const { expected, found, what } = await tryFilesystem(name, its);
      const asExpected = found === expected || found === 'SKIPPED';
      if (!asExpected) faults++;
      tally.set(found, (tally.get(found) ?? 0) + 1);
      console.log(
        `  ${name.padEnd(34)} ${found.padEnd(19)} ${what}${asExpected ? '' : `, expected: ${expected}`}`,
      );
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const counts = [...tally].map(([found, count]) => `${count} ${found}`).join(', ');
  console.log(`filesystems: seed ${seed}, ${counts}; ${faults} faults`);
  if (faults > 0) process.exitCode = 1;
}

if (process.getuid() !== 0 || spawnSync('losetup', ['-f']).status !== 0) {
  console.log('filesystems: SKIPPED, it takes root and loop devices');
} else if (process.env.HOLDFAST_OWN_MOUNTS === '1') {
  await campaign();
  process.exit(); // sshfs may be left
} else {
  // Mounts that end with the process, however it ends.
  const again = ['--mount', process.execPath, fileURLToPath(import.meta.url)];
  const env = { ...process.env, HOLDFAST_OWN_MOUNTS: '1' };
  const args = [...again, ...process.argv.slice(2), '--seed', `${seed}`];
  spawn('unshare', args, { stdio: 'inherit', env }).on('exit', (code) => {
    process.exitCode = code ?? 1;
  });
}
