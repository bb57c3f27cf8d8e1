/**
 * Many processes type the same line at once: exactly one has the lease, and all others are told who.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Duplex, Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';

import { Leases } from '../../lib/index.js';
import { commandEnv, programCommand, type Ended } from '../helpers/cli.js';
import { full } from '../helpers/counting.js';
import { mutateLibrary } from '../helpers/package-copy.js';

const barrier = fileURLToPath(new URL('../fixtures/barrier.mjs', import.meta.url));

interface Racer {
  readonly pid: number | undefined;
  readonly json: boolean;
  readonly ended: Ended;
}

interface Race {
  readonly count: number;
  /** Each has a name of its own; else none has said who it is. */
  readonly named: boolean;
  /** The package; a mutant, perhaps. */
  readonly root?: string;
}

/** All of them stand at the barrier before the first is let go. Every other one wants JSON. */
async function race(t: Test, dir: string, { count, named, root }: Race): Promise<Racer[]> {
  const racers = Array.from({ length: count }, (_, at) => {
    const json = at % 2 === 1;
    const words = ['lock', 'race-test'].concat(json ? '--json' : [], named ? `--owner=p${at}` : []);
    const [file, args] = programCommand(words, root, ['--import', barrier]);
    const child = spawn(file, args, {
      env: commandEnv({ HOLDFAST_ROOT: dir }),
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    });
    t.teardown(() => child.kill('SIGKILL'));
    return { child, json, out: text(child.stdout), err: text(child.stderr) };
  });
  const gates = racers.map(({ child }) => child.stdio[3] as Duplex);
  await Promise.all(gates.map((gate) => once(gate, 'data')));
  for (const gate of gates) gate.end();
  return Promise.all(
    racers.map(async ({ child, json, out, err }) => {
      if (child.exitCode === null) await once(child, 'exit');
      return {
        pid: child.pid,
        json,
        ended: { code: child.exitCode, out: await out, err: await err },
      };
    }),
  );
}

async function text(stream: Readable | null): Promise<string> {
  let all = '';
  for await (const chunk of stream ?? []) all += String(chunk);
  return all;
}

async function assertRound(t: Test, dir: string, racers: readonly Racer[]): Promise<void> {
  const winners = racers.filter(({ ended }) => ended.code === 0);
  t.equal(winners.length, 1, 'exactly one has it');
  const others = racers.filter((racer) => !winners.includes(racer));
  t.ok(
    others.every(({ ended }) => ended.code === 2),
    'all others end with 2',
  );
  const info = await new Leases({ dir }).inspect('race-test');
  const { pid } = winners[0] ?? {};
  t.equal(info?.holder?.pid, pid, 'the record names the winner');
  t.match(winners[0]?.ended.out, String(info?.token), 'and its token');
  const owner = info?.holder?.owner ?? '';
  for (const { json, ended } of others) {
    if (json) t.match(JSON.parse(ended.out), { ok: false, owner, pid, token: String(info?.token) });
    else t.match(ended.err, `race-test is held by ${owner} (pid ${pid ?? 0}: `);
  }
  await new Leases({ dir }).break('race-test', { force: true });
}

for (const count of full ? [10, 32] : [10]) {
  await t.test(`${count} processes`, async (t) => {
    const dir = join(t.testdir(), 'leases');
    for (let round = 0; round < (full ? 10 : 2); round++) {
      await assertRound(t, dir, await race(t, dir, { count, named: round % 2 === 0 }));
    }
  });
}

await t.test('an owner that was not named and still re-enters would be seen', async (t) => {
  const [from, to] = ['owner ?? said[0]', `owner ?? said[0] ?? 'me@here'`];
  const root = mutateLibrary(t, [{ file: 'lib/cli/context.js', from, to }]);
  const racers = await race(t, t.testdir(), { count: 3, named: false, root });
  t.ok(racers.filter(({ ended }) => ended.code === 0).length > 1, 'more than one has it');
});
