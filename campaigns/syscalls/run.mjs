// System calls that fail: every call of every operation fails, in every way that its manual page
// knows, once and from then on; is delayed; and its process is killed or stopped right before and
// right after it.
//
// The operations run in a process that is warm, with a library between it and libc (faults.c), which
// is told what to do to which call. First each operation runs unhurt, and its calls are counted, by
// the library and by strace(1), which have to agree. That makes the list of points. After each of
// them, by what the files say (judge.mjs) and by what the next process is granted:
//
// - the operation succeeded, and then has done what it says; or its error is a LockError that names
//   path, call and error
// - the record is the old one or the new one, and whole
// - no descriptor is left open
// - who holds it keeps others out; once it is given back or its process is dead, the next one gets
//   it, with a higher token; in the guard of a process that is stopped it gets its time-out
//
// First packages with a fault are tried: unless that is noticed, the rest proves nothing.
//
// Usage: run.mjs [--minutes N] [--points N] [--seed S] [--only TEXT]; without --points it is all of
// them. It ends with the first of both limits.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { brokenPackage, campaignOptions, generator, library, testedRoot } from '../campaign.mjs';
import { describe, pointsOf } from './plan.mjs';
import { scenarios } from './scenarios.mjs';
import { makeUnder, Stage, Victim } from './stage.mjs';
import { Trace } from './trace.mjs';

const options = campaignOptions(60, {
  points: { type: 'string', default: 'Infinity' },
  only: { type: 'string', default: '' },
});
const { minutes, seed, only } = options;
const source = fileURLToPath(new URL('faults.c', import.meta.url));
// Memory where there is some: what a sync costs is nothing to this campaign.
const where = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
const folder = mkdtempSync(join(where, 'holdfast-syscalls-'));
const preload = join(folder, 'faults.so');
const compile = ['-std=gnu11', '-O1', '-Wall', '-Werror', '-shared', '-fPIC'];
execFileSync('cc', [...compile, '-o', preload, source, '-ldl'], { stdio: 'inherit' });
const under = makeUnder(folder);

// A guard that stays locked is answered after five seconds; so not at each stop.
const busyChecks = options.points === 'Infinity' ? 50 : 1;

const isFatal = ({ signal, then }) => (then ?? signal) === 'SIGKILL';

/** Hurts a package at the points; what came of it. */
class Trial {
  total = { points: 0, kills: 0, stops: 0, errors: 0, successes: 0, busy: 0, faults: [] };
  #victim;
  #spare;

  constructor(root, imported) {
    this.root = root;
    this.library = imported;
  }

  static async of(root) {
    return new Trial(root, await library(root));
  }

  #start() {
    return new Victim({ root: this.root, preload, folder, under });
  }

  async #fresh() {
    const victim = this.#spare ?? this.#start();
    this.#spare = this.#start();
    await victim.process.ready;
    return victim;
  }

  async victim() {
    return (this.#victim ??= await this.#fresh());
  }

  /** How often an operation makes each call. */
  async count(number) {
    const victim = await this.victim();
    const stage = new Stage(this.library, under, number);
    try {
      const { counts, error } = await stage.run(victim, {});
      if (error !== undefined) throw new Error(`${scenarios[number].title}: ${error.stack}`);
      await victim.call('finish');
      await stage.world.lease?.release();
      return counts;
    } finally {
      stage.end();
    }
  }

  async try({ number, point }) {
    const { total } = this;
    const victim = await this.victim();
    const stage = new Stage(this.library, under, number);
    const title = `${scenarios[number].title}: ${describe(point)}`;
    try {
      if (point.signal !== undefined) {
        const hit = await stage.stop(victim, point, total.busy < busyChecks);
        if (hit) {
          total.points++;
          total[point.signal === 'SIGKILL' ? 'kills' : 'stops']++;
        }
        if (stage.busy) total.busy++;
        if (isFatal(point)) await this.#replace();
      } else {
        const answer = await (point.action === 'delay'
          ? stage.race(victim, point)
          : stage.run(victim, point));
        if (answer.hits > 0) {
          total.points++;
          total[answer.error === undefined ? 'successes' : 'errors']++;
        } else {
          await victim.call('finish');
          await stage.world.lease?.release();
        }
      }
    } catch (error) {
      stage.faults.push(error.stack);
      await this.#replace();
    } finally {
      stage.end();
    }
    for (const fault of stage.faults) total.faults.push(`${title}: ${fault}`);
  }

  async #replace() {
    await this.#victim?.end();
    this.#victim = undefined;
  }

  async end() {
    await this.#replace();
    await this.#spare?.end();
  }
}

function shuffled(list, random) {
  const keys = new Map(list.map((each) => [each, random()]));
  return [...list].sort((a, b) => keys.get(a) - keys.get(b));
}

/** All points of all operations, by what a sound run of each does; and what strace saw besides. */
async function allPoints(trial) {
  const points = [];
  const counts = [];
  const trace = await Trace.of(await trial.victim(), join(folder, 'trace'));
  for (const [number] of scenarios.entries()) {
    counts.push(await trial.count(number));
    for (const point of pointsOf(counts[number])) points.push({ number, point });
  }
  const differences = await trace.compare(under, counts);
  const unseen = differences.map(({ number, what }) => `${scenarios[number].title}: ${what}`);
  return { points, unseen };
}

async function hurt(trial, points, until) {
  for (const each of points) {
    if (performance.now() > until || trial.total.faults.length > 200) break;
    await trial.try(each);
  }
  return trial.total;
}

// Each is noticed by one operation, at some of its points.
const plants = [
  {
    what: 'an error without a type',
    file: 'lib/native.js',
    from: 'const code = codeFor(cause);',
    to: 'return cause; const code = codeFor(cause);',
    title: 'acquire, attached',
    notice: /untyped/,
  },
  {
    what: 'a release that failed keeps its lock',
    file: 'lib/store/holding.js',
    from: 'own.close(); // if it',
    to: 'if (!own.half) own.close(); // if it',
    title: 'release, attached',
    notice: /not granted|left open/,
  },
  {
    what: 'what cannot be looked at is free',
    file: 'lib/store/upkeep.js',
    from: '!== undefined))\n        return true;',
    to: "=== null)) return true;\n    return suffixes.some((each) => typeof addon.identify(base + each, false) === 'string');",
    title: 'inspect',
    notice: /answered null/,
  },
  {
    what: 'a lock that was refused is taken for granted',
    file: 'lib/attempt.js',
    from: 'if (outcome === Outcome.busy)\n            break;',
    to: 'if (outcome === Outcome.busy)\n            return { handle, outcome };',
    title: 'file lock by sidecar',
    notice: /two holders|granted/,
  },
];

/** Tries a package with a fault, at the points of the operation that should notice. */
async function isCaught({ title, notice, ...fault }, points) {
  const broken = brokenPackage(fault);
  const trial = await Trial.of(broken.root);
  try {
    const its = points.filter(
      ({ number, point }) => scenarios[number].title === title && !isFatal(point),
    );
    for (const each of its) {
      await trial.try(each);
      if (trial.total.faults.some((each) => notice.test(each))) return true;
    }
    return false;
  } finally {
    await trial.end();
    broken.remove();
  }
}

try {
  const sound = await Trial.of(testedRoot);
  const { points, unseen } = await allPoints(sound);
  for (const line of unseen) console.log(`  ${line}`);
  if (unseen.length > 0) process.exitCode = 1;
  const random = generator(seed);
  for (const { what, ...plant } of plants) {
    const caught = await isCaught(plant, shuffled(points, random));
    console.log(`${what}: ${caught ? 'caught' : 'NOT caught'}`);
    if (!caught) process.exitCode = 1;
  }
  const chosen = shuffled(
    points.filter(({ number }) => scenarios[number].title.includes(only)),
    random,
  ).slice(0, Number(options.points));
  const total = await hurt(sound, chosen, performance.now() + minutes * 60_000);
  await sound.end();
  for (const fault of total.faults.slice(0, 100)) console.log(`  ${fault}`);
  console.log(
    `syscalls: seed ${seed}, ${total.points} points of ${points.length} in ${scenarios.length} operations: ` +
      `${total.errors} errors, ${total.successes} successes, ${total.kills} kills, ${total.stops} stops, ` +
      `${total.busy} guards busy; ${total.faults.length} faults`,
  );
  if (total.faults.length > 0 || total.points === 0) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
