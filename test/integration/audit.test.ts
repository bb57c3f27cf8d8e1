/**
 * Many processes, one audit log that is rotated all the time: no line torn, lost or written twice. What
 * the processes know of their own doings is held against what the log says.
 */
import { mkdtempSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { everyMutant, full } from '../helpers/counting.js';
import { copyPackage } from '../helpers/package-copy.js';
import { Peer } from '../helpers/peer.js';

/** Of each process. Mutants show themselves in few. */
const fewRounds = 100;
const allRounds = full ? 400 : fewRounds;
const maxBytes = 10_000;
const longestLine = 4096;

interface Line {
  event: string;
  name: string;
  id: string;
  token: string | null;
  by: string;
}

interface Doings {
  did: string[];
  broken: string[];
  errors: string[];
}

/** The doings of all, and what the log and its rotated files hold. */
async function run(
  t: Test,
  peers: Peer[],
  rounds: number,
): Promise<{ doings: Doings[]; log: Log }> {
  const folder = mkdtempSync(join(t.testdir(), 'run-'));
  const first = Math.floor(Math.random() * 1e6);
  t.comment(`seeds from ${first}`);
  const options = { dir: join(folder, 'leases'), log: join(folder, 'audit.log'), rounds };
  const rotation = { maxBytes, keep: 100_000 };
  const doings = await Promise.all(
    peers.map((peer, i) => peer.call('audited', { ...options, ...rotation, seed: first + i })),
  );
  return { doings: doings as Doings[], log: readLog(folder) };
}

interface Log {
  lines: Line[];
  /** What is no line of JSON. */
  torn: string[];
  /** Of those that were put aside. */
  sizes: number[];
}

function readLog(folder: string): Log {
  const names = readdirSync(folder).filter((name) => /^audit\.log(\.\d+)?$/.test(name));
  const lines: Line[] = [];
  const torn: string[] = [];
  for (const name of names) {
    for (const text of readFileSync(join(folder, name), 'utf8').split(/(?<=\n)/)) {
      try {
        if (!text.endsWith('}\n')) throw new Error('no end');
        lines.push(JSON.parse(text) as Line);
      } catch {
        torn.push(text);
      }
    }
  }
  const sizes = names
    .filter((name) => name !== 'audit.log')
    .map((name) => statSync(join(folder, name)).size);
  return { lines, torn, sizes };
}

/** How many were put aside with room for a line; each of them takes the place of an older one. */
const smallOnes = ({ sizes }: Log): number =>
  sizes.filter((size) => size <= maxBytes - longestLine).length;

/** In the words of test/fixtures/audited.mjs. */
const brief = ({ event, name, token, by }: Line): string => `${event} ${name} ${token ?? by}`;

/** What is in one and not in the other, each as often as it is too many. */
function difference(ours: string[], theirs: string[]): string[] {
  const counts = new Map<string, number>();
  for (const each of ours) counts.set(each, (counts.get(each) ?? 0) + 1);
  for (const each of theirs) counts.set(each, (counts.get(each) ?? 0) - 1);
  return [...counts].filter(([, count]) => count !== 0).map(([each, n]) => `${each}: ${n}`);
}

/** What happened, by those who did it; a broken lease is one break, however many learned of it. */
function happened(doings: Doings[]): string[] {
  const broken = new Set(doings.flatMap((each) => each.broken));
  return [...doings.flatMap((each) => each.did), ...[...broken].map((each) => `break ${each}`)];
}

await t.test('every event of 16 processes is one line', async (t) => {
  const { doings, log } = await run(t, await Peer.startAll(t, 16), allRounds);
  t.strictSame(log.torn, []);
  t.strictSame(difference(happened(doings), log.lines.map(brief)), [], 'each once, and no other');
  const errors = doings.flatMap((each) => each.errors);
  t.strictSame(errors, [], 'no rotation failed');
  t.ok(log.sizes.length > 10, `${log.lines.length} lines, ${log.sizes.length} rotations`);
  t.equal(smallOnes(log), 0, 'only full files are put aside');

  const of = (event: string): string[] =>
    log.lines.filter((line) => line.event === event).map(({ id }) => id);
  const [grants, releases, breaks] = [of('acquire'), of('release'), of('break')];
  t.equal(new Set(grants).size, grants.length, 'one beginning of each lease');
  t.strictSame(difference(grants, [...releases, ...breaks]), [], 'and one end');
  t.strictSame(difference(breaks, of('lost')), [], 'and who lost it learned of it, once');
  t.ok(breaks.length > 10, `${breaks.length} breaks`);
});

interface Mutant {
  name: string;
  from: string;
  to: string;
  caught: (log: Log, doings: Doings[]) => boolean;
}

const linesAreMissing = (log: Log, doings: Doings[]): boolean =>
  difference(happened(doings), log.lines.map(brief)).some((each) => !each.includes(': -'));

const mutants: Mutant[] = [
  {
    name: 'rotation without the lock loses lines',
    from: 'lock = tryLock(this.#path, { lockPath: this.#lockPath, fileMode });',
    to: 'lock = { release() {} };',
    caught: linesAreMissing,
  },
  {
    name: 'without a second look under the lock, files are put aside that are not full',
    from: 'if (lock !== null && this.#isFull(this.#stat(), size))',
    to: 'if (lock !== null)',
    caught: (log) => smallOnes(log) > 0,
  },
  {
    name: 'without a look at the name, an old file grows',
    from: 'if (open !== undefined && open.ino === named?.ino && open.dev === named.dev)',
    to: 'if (open !== undefined)',
    caught: (log) => log.sizes.some((size) => size > 2 * maxBytes),
  },
  {
    name: 'without O_APPEND lines are torn',
    from: 'O_WRONLY | O_APPEND',
    to: 'O_WRONLY',
    caught: (log, doings) => log.torn.length > 0 && linesAreMissing(log, doings),
  },
];

await t.test('the test can fail', async (t) => {
  for (const { name, from, to, caught } of everyMutant ? mutants : mutants.slice(0, 1)) {
    await t.test(name, async (t) => {
      const root = copyPackage(t);
      const file = join(root, 'lib/rotating-file.js');
      const source = readFileSync(file, 'utf8');
      t.equal(source.split(from).length, 2, 'the place is found');
      writeFileSync(file, source.replace(from, to));
      const peers = await Peer.startAll(t, 6, { root });
      let shown = false;
      for (let i = 0; i < 20 && !shown; i++) {
        const { doings, log } = await run(t, peers, fewRounds);
        shown = caught(log, doings);
      }
      t.ok(shown, 'caught');
    });
  }
});
