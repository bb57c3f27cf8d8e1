/**
 * One process of the demo: it reports that it is ready, does the jobs it is given, one at a time, and
 * leaves when it is dismissed. It is a program, not a module to import.
 *
 * The file is changed as most programs change one: read, parse, push, write. Both runs go through
 * the same function, and nothing is slowed down to provoke a collision; the lock is the whole
 * difference.
 */
import { readFile, writeFile } from 'node:fs/promises';

import { LockError } from '../errors.js';
import { lock, withLock } from '../file-lock.js';
import type {
  AppendAnswer,
  AppendJob,
  HoldJob,
  Job,
  Report,
  WaitAnswer,
  WaitJob,
} from './demo-messages.js';

/**
 * A file found half written is mostly whole again a few looks later, and a program that starts over
 * too early loses more than it must. With 50 looks, only files that are broken for good remain.
 */
const maxReads = 50;
const reportEveryMs = 40;

async function perform(job: Job): Promise<AppendAnswer | WaitAnswer | null> {
  switch (job.kind) {
    case 'append':
      return append(job);
    case 'hold':
      return hold(job);
    case 'wait':
      return wait(job);
  }
}

async function append({ file, writer, entries, locked }: AppendJob): Promise<AppendAnswer> {
  const met: AppendAnswer = { halfWritten: 0, restarts: 0, longestWaitMs: 0 };
  let reportedAt = performance.now();
  for (let entry = 1; entry <= entries; entry++) {
    const asked = performance.now();
    const add = () => addEntry(file, { writer, entry }, met);
    if (locked) {
      await withLock(file, () => {
        met.longestWaitMs = Math.max(met.longestWaitMs, performance.now() - asked);
        return add();
      });
    } else {
      await add();
    }
    const now = performance.now();
    if (now - reportedAt >= reportEveryMs || entry === entries) {
      reportedAt = now;
      report({ type: 'progress', written: entry });
    }
  }
  return met;
}

async function addEntry(file: string, entry: object, met: AppendAnswer): Promise<void> {
  let list: unknown[] | undefined;
  for (let read = 1; list === undefined && read <= maxReads; read++) {
    list = parseList(await readFile(file, 'utf8'));
    if (list === undefined) met.halfWritten++;
  }
  if (list === undefined) {
    // Two writers of different lengths leave such a file; without a new list nobody could go on.
    met.restarts++;
    list = [];
  }
  list.push(entry);
  await writeFile(file, JSON.stringify(list));
}

function parseList(text: string): unknown[] | undefined {
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) ? list : undefined;
  } catch {
    return undefined;
  }
}

async function hold({ file, owner }: HoldJob): Promise<null> {
  await lock(file, { owner });
  return null; // and keeps it: the end of this process releases it
}

async function wait({ file, timeoutMs }: WaitJob): Promise<WaitAnswer> {
  const asked = performance.now();
  try {
    await withLock(file, () => undefined, { timeout: timeoutMs });
  } catch (error) {
    if (!(error instanceof LockError)) throw error;
    const { code, message, holder } = error;
    return { code, message, holder, waitedMs: performance.now() - asked };
  }
  throw new Error('the lock was granted while another process held it');
}

function report(message: Report): void {
  // When the demo died the channel is closed, and 'disconnect' is about to end this process.
  process.send?.(message, undefined, undefined, () => undefined);
}

// The demo alone decides when to stop: Ctrl-C in a terminal reaches every process of the group.
process.on('SIGINT', () => undefined);
// Dismissed, or the demo died: either way nobody is left to work for.
process.once('disconnect', () => process.exit());
process.on('message', (job: Job) => {
  perform(job).then(
    (answer) => {
      report({ type: 'answer', answer });
    },
    (error: unknown) => {
      report({ type: 'failed', message: String(error) });
    },
  );
});
report({ type: 'ready' });
