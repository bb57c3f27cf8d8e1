// A long day: everything that the library can do, in a mix, by two processes on the same names. It is cut
// into hours; between them everybody lets go of everything, and what is left is measured.
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { generator } from '../campaign.mjs';
import { Peer } from './peer.mjs';

const processes = 2;
/** The first ones, a quarter, fill caches, compile, and create what is permanent. */
const hoursOf = (minutes) => (minutes < 0.5 ? 4 : 16);
/** What may stand in the folders for ever: a guard and a queue for each name, a sidecar for a file. */
const permanent = { leases: 200, locks: 20 };
/** How much more there may be in the end. Figures of a heap are never exact. */
const allowed = { descriptors: 0, threads: 0, heap: 1.5 * 2 ** 20, rss: 32 * 2 ** 20 };

export async function day({ folder, root, minutes, seed, name = 'day', quiet = false }) {
  const random = generator(seed);
  const dir = join(folder, name.replaceAll(/\W/g, '-'));
  for (const part of ['leases', 'files']) mkdirSync(join(dir, part), { recursive: true });
  const start = async () => {
    const peer = await Peer.start('worker.mjs', root);
    await peer.call('open', dir, Math.floor(random() * 2 ** 31));
    return peer;
  };
  const peers = await Promise.all(Array.from({ length: processes }, start));
  const hours = hoursOf(minutes);
  const samples = [];
  const done = {};
  const faults = [];
  try {
    for (let hour = 0; hour < hours; hour++) {
      const ms = (minutes * 60_000) / hours;
      const results = await Promise.all(peers.map((peer) => peer.call('work', ms)));
      for (const { operations, failures } of results) {
        faults.push(...failures);
        for (const [what, times] of Object.entries(operations)) {
          done[what] = (done[what] ?? 0) + times;
        }
      }
      await peers[0].call('tidy');
      const measured = await Promise.all(peers.map((peer) => peer.call('settled')));
      samples.push({ measured, files: filesOf(dir) });
    }
  } finally {
    await Promise.all(peers.map((peer) => peer.kill()));
  }
  faults.push(...growth(samples));
  if (!quiet) report(samples, done, faults);
  return faults;
}

function filesOf(dir) {
  const left = readdirSync(join(dir, 'leases')).filter((file) => !/\.(guard|queue)$/.test(file));
  return {
    left,
    leases: readdirSync(join(dir, 'leases')).length,
    locks: readdirSync(join(dir, 'files')).length,
  };
}

/** What has grown since the warm-up: the least of the last third against the least of the first. */
function growth(samples) {
  const faults = [];
  const warm = samples.slice(samples.length / 4);
  const third = Math.floor(warm.length / 3);
  const least = (part, value) => Math.min(...part.map(value));
  const compare = (what, value, limit) => {
    const begin = least(warm.slice(0, third), value);
    const end = least(warm.slice(-third), value);
    if (end > begin + limit) faults.push(`${what} grew from ${begin} to ${end}`);
  };
  for (let i = 0; i < processes; i++) {
    for (const [what, limit] of Object.entries(allowed)) {
      compare(`${what} of process ${i}`, ({ measured }) => measured[i][what], limit);
    }
  }
  const { left, ...files } = samples.at(-1).files;
  for (const [what, limit] of Object.entries(permanent)) {
    if (files[what] > limit) faults.push(`${files[what]} files of ${what}`);
  }
  if (left.length > 0) faults.push(`left over: ${left.join(', ')}`);
  return faults;
}

function report(samples, done, faults) {
  const mib = (bytes) => (bytes / 2 ** 20).toFixed(1);
  const line = (of) =>
    `${of.descriptors} descriptors, ${of.threads} threads, heap ${mib(of.heap)}, RSS ${mib(of.rss)} MiB`;
  const total = Object.values(done).reduce((a, b) => a + b, 0);
  const least = Math.min(...Object.values(done));
  console.log(
    `day: ${total} operations of ${Object.keys(done).length} kinds, ${least} of the rarest`,
  );
  const [first, last] = [samples[samples.length / 4], samples.at(-1)];
  for (let i = 0; i < processes; i++) {
    console.log(`day: process ${i}, from ${line(first.measured[i])}; to ${line(last.measured[i])}`);
  }
  const { leases, locks } = last.files;
  console.log(
    `day: ${leases} files of leases, ${locks} of file locks, which are permanent; ${faults.length} faults`,
  );
}
