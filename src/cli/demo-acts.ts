/**
 * What the demo does, and the figures that come out; nothing here prints.
 *
 * Acts one and two are the same race, first without and then with the lock: processes released
 * together add their entries to one list in one JSON file, and what counts is what stands in the
 * file at the end. In act three one process holds the lock while another runs out of patience.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { AppendJob, HoldJob, WaitAnswer, WaitJob } from './demo-messages.js';
import { withWorkers, type Worker } from './demo-worker.js';

const waitTimeoutMs = 500;

/** How large the race is, and what may end it early. */
export interface DemoOptions {
  /** Two at least. */
  processes: number;
  /** Entries that each process adds. */
  entries: number;
  /** Ends the demo; processes and the temporary folder are gone when the promise rejects. */
  signal?: AbortSignal;
}

/** One race. */
export interface RunFigures {
  locked: boolean;
  expected: number;
  /** Entries in the file at the end. */
  kept: number;
  lost: number;
  seconds: number;
  operationsPerSecond: number;
  /** From asking for the lock until it was granted; null without lock. */
  longestWaitMs: number | null;
  /** How often a process read something that was no JSON. */
  halfWritten: number;
  /** How often it stayed so, and a process began a new list. */
  restarts: number;
  /** False when even the file that was left is no JSON. */
  readable: boolean;
}

/** All that came out. */
export interface DemoFigures {
  processes: number;
  entries: number;
  withoutLock: RunFigures;
  withLock: RunFigures;
  timeout: WaitAnswer;
}

/** Is told what happens while it happens. */
export interface Audience {
  raceStarts?(locked: boolean, expected: number): void;
  raceProgress?(written: number): void;
  raceEnds?(figures: RunFigures): void;
}

/**
 * Plays the three acts in a temporary folder, and removes it.
 *
 * @throws `signal.reason`, or an Error when a process of the demo fails
 */
export async function playActs(options: DemoOptions, audience: Audience): Promise<DemoFigures> {
  const { processes, entries, signal = new AbortController().signal } = options;
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-demo-'));
  try {
    return await withWorkers(processes, signal, async (workers) => {
      const race = (locked: boolean) => {
        const file = join(folder, locked ? 'with-lock.json' : 'without-lock.json');
        return runRace(workers, { file, locked, entries }, audience);
      };
      const withoutLock = await race(false);
      const withLock = await race(true);
      const timeout = await runOutOfPatience(workers, join(folder, 'report.json'));
      return { processes, entries, withoutLock, withLock, timeout };
    });
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function runRace(
  workers: Worker[],
  race: Pick<AppendJob, 'file' | 'locked' | 'entries'>,
  audience: Audience,
): Promise<RunFigures> {
  const { file, locked, entries } = race;
  const expected = workers.length * entries;
  await writeFile(file, '[]');
  audience.raceStarts?.(locked, expected);
  const written = workers.map(() => 0);
  const started = performance.now();
  const answers = await Promise.all(
    workers.map((worker, writer) =>
      worker.run<AppendJob>({ kind: 'append', ...race, writer }, (count) => {
        written[writer] = count;
        audience.raceProgress?.(sum(written));
      }),
    ),
  );
  const seconds = (performance.now() - started) / 1000;
  const kept = countEntries(await readFile(file, 'utf8'));
  const figures: RunFigures = {
    locked,
    expected,
    kept: kept ?? 0,
    lost: expected - (kept ?? 0),
    seconds,
    operationsPerSecond: expected / seconds,
    longestWaitMs: locked ? Math.max(...answers.map((answer) => answer.longestWaitMs)) : null,
    halfWritten: sum(answers.map((answer) => answer.halfWritten)),
    restarts: sum(answers.map((answer) => answer.restarts)),
    readable: kept !== undefined,
  };
  audience.raceEnds?.(figures);
  return figures;
}

async function runOutOfPatience(workers: Worker[], file: string): Promise<WaitAnswer> {
  const [holder, waiter] = workers;
  if (!holder || !waiter) throw new RangeError('two processes are needed');
  await holder.run<HoldJob>({ kind: 'hold', file, owner: 'nightly-report' });
  return waiter.run<WaitJob>({ kind: 'wait', file, timeoutMs: waitTimeoutMs });
}

/** Different entries in a file; undefined when it is no list. */
function countEntries(text: string): number | undefined {
  try {
    const list: unknown = JSON.parse(text);
    if (!Array.isArray(list)) return undefined;
    return new Set(list.map((entry) => JSON.stringify(entry))).size;
  } catch {
    return undefined;
  }
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
