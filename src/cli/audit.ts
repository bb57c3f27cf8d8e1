/** `holdfast audit`: what has happened, and with `--tail` what happens. */
import { dirname } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { onAbort } from '../abort.js';
import { Bell } from '../bell.js';
import { formatDuration } from '../duration.js';
import { checkLeaseName } from '../lease-options.js';
import { plain } from '../owner.js';
import { onFolderChange } from '../store/folder-watch.js';
import { AuditFiles, type LogLine } from './audit-files.js';
import { entryText, isAbout, readEntry, type Entry } from './audit-text.js';
import { auditPath } from './audited.js';
import type { Arguments } from './arguments.js';
import type { Context } from './context.js';
import { asUsage, ExitCode, UsageError } from './exit-codes.js';
import { screenOn } from './screen.js';

/** How many from before `--tail` shows. */
const lastLines = 10;

/** Where nobody tells that the log has grown. */
const lookMs = 1000;

/** After so many lines it is looked whether anybody reads them. */
const batch = 500;

/** Of a line that cannot be read, enough to find it. */
const shownLength = 80;

/** A line, and what it says; undefined if it cannot be read. */
interface Item {
  readonly line: LogLine;
  readonly entry: Entry | undefined;
}

export async function run(context: Context): Promise<number> {
  const { args, errors, signal } = context;
  const path = auditPath(context.root);
  const wanted = filter(args);
  const show = printer(context);
  const files = new AuditFiles(path);
  const each = async (lines: Iterable<LogLine>, take: (item: Item) => void): Promise<void> => {
    let count = 0;
    for (const line of lines) {
      const item = { line, entry: readEntry(line.text) };
      if (line.text !== '' && wanted(item)) take(item);
      if (++count % batch > 0) continue;
      await nextTurn();
      if (signal.aborted) return;
    }
  };
  try {
    if (args.flag('tail')) {
      const last: Item[] = [];
      await each(files.read(), (item) => {
        if (last.push(item) > lastLines && args.text('since') === undefined) last.shift();
      });
      for (const item of last) show(item);
      await whenever(path, signal, () => each(files.read(), show));
    } else {
      await each(files.read(), show);
      if (!files.found && !args.flag('json')) errors.write(`there is no ${plain(path)} yet\n`);
      await each(files.end(), show);
    }
    return ExitCode.ok;
  } finally {
    files.close();
  }
}

/** At once, and whenever the log may have grown, until the end. */
async function whenever(
  path: string,
  signal: AbortSignal,
  look: () => Promise<void>,
): Promise<void> {
  const bell = new Bell();
  const unlisten = onAbort(signal, bell.ring);
  const unwatch = onFolderChange(dirname(path), bell.ring, { contents: true });
  try {
    while (!signal.aborted) {
      await look();
      await bell.wait(lookMs);
    }
  } finally {
    unlisten();
    unwatch();
  }
}

/** What cannot be read may be about anything, and is not passed over. */
function filter(args: Arguments): (item: Item) => boolean {
  const since = sinceOf(args)?.getTime() ?? -Infinity;
  const name = args.text('name');
  if (name !== undefined) {
    asUsage(() => {
      checkLeaseName(name);
    });
  }
  return ({ entry }) => {
    if (entry === undefined) return true;
    return entry.time.getTime() >= since && (name === undefined || isAbout(entry, name));
  };
}

/** A duration before now, or a moment by the clock of this place. */
function sinceOf(args: Arguments): Date | undefined {
  const text = args.text('since');
  if (text === undefined || !/^\d+-/.test(text)) {
    const ago = args.duration('since', 0);
    return ago === undefined ? undefined : new Date(Date.now() - ago);
  }
  // A date alone would be one of Greenwich.
  const time = new Date(/^[\d-]+$/.test(text) ? `${text}T00:00` : text);
  // The 30th of February would be a day in March. Of a date alone: with a time there may be a zone.
  const date = new Date(text.slice(0, 'yyyy-mm-dd'.length));
  const exists = !Number.isNaN(date.getTime()) && text.startsWith(date.toISOString().slice(0, 10));
  if (exists && !Number.isNaN(time.getTime())) return time;
  throw new UsageError(`--since must be a time such as 2026-01-31T12:00, not '${text}'`);
}

/** What goes on is told by the clock: on a screen that stays, "a minute ago" would not. */
function printer({ args, output, errors }: Context): (item: Item) => void {
  const screen = screenOn(output);
  const when = (time: Date): string => {
    if (args.flag('tail')) return time.toTimeString().slice(0, 'hh:mm:ss'.length);
    return `${formatDuration(Date.now() - time.getTime())} ago`.padStart('59m59s ago'.length);
  };
  return ({ line: { text, path, offset }, entry }) => {
    const start = text.slice(0, shownLength);
    if (args.flag('json')) {
      const damaged = { v: 1, event: 'damaged', path, offset, text: start };
      output.write(`${entry === undefined ? JSON.stringify(damaged) : text}\n`);
    } else if (entry === undefined) {
      const where = `${plain(path)}, byte ${offset}`;
      errors.write(`holdfast audit: cannot read a line (${where}): ${plain(start)}\n`);
    } else screen.print(`${when(entry.time)}  ${entryText(entry, screen)}`);
  };
}
