/** The words of the demo: what is going on, what came out, and what it means. */
import Table from 'cli-table3';

import type { DemoOptions, RunFigures } from './demo-acts.js';
import type { WaitAnswer } from './demo-messages.js';
import type { Screen } from './screen.js';

/** Of the bars, in characters; a line stays below 80. */
export const barLength = 32;

export function introduction(screen: Screen, { processes, entries }: DemoOptions): string[] {
  return [
    screen.paint('bold', `${processes} processes, one JSON file`),
    `Each adds ${count(entries)} ${entries === 1 ? 'entry' : 'entries'}: read the file, parse it, push an entry, write it back.`,
    '',
  ];
}

export function raceName(locked: boolean): string {
  return locked ? 'with lock   ' : 'without lock';
}

/** One line: how much of the list is left, as a bar. */
export function keptLine(screen: Screen, { locked, kept, expected }: RunFigures): string {
  const whole = kept === expected;
  const filled = whole ? barLength : Math.floor((kept / expected) * (barLength - 1));
  const bar = screen.paint(
    whole ? 'green' : 'red',
    '█'.repeat(filled) + '░'.repeat(barLength - filled),
  );
  return `${raceName(locked)}  ${bar}  ${count(kept)} of ${count(expected)} kept`;
}

export function raceTable(screen: Screen, runs: RunFigures[]): string[] {
  const head = ['', ...runs.map((run) => screen.paint('bold', raceName(run.locked).trim()))];
  const table = new Table({
    head,
    colAligns: ['left', 'right', 'right'],
    style: { head: [], border: [], compact: true }, // its own colours would go to pipes as well
  });
  const row = (name: string, cell: (run: RunFigures) => string) => {
    table.push([name, ...runs.map(cell)]);
  };
  row('expected', (run) => count(run.expected));
  row('kept', (run) => count(run.kept));
  row('lost', (run) => screen.paint(['bold', run.lost > 0 ? 'red' : 'green'], count(run.lost)));
  row('seconds', (run) => run.seconds.toFixed(2));
  row('operations/s', (run) => count(Math.round(run.operationsPerSecond)));
  row('longest wait', ({ longestWaitMs: ms }) => (ms === null ? '-' : `${ms.toFixed(1)} ms`));
  return ['', table.toString(), ''];
}

/** Where the entries went, and what the lock costs. */
export function explanation(screen: Screen, without: RunFigures, locked: RunFigures): string[] {
  const { lost, halfWritten, restarts, readable } = without;
  const lines: string[] = [];
  if (lost > 0) {
    lines.push('Lost: two processes read the same list; the later write erased the earlier one.');
  }
  if (halfWritten > 0) {
    lines.push(`${capital(times(halfWritten))} the file was found half written without a lock.`);
  }
  if (restarts > 0) {
    lines.push(`${capital(times(restarts))} it stayed broken, and a new list had to be begun.`);
  }
  if (!readable) lines.push('The file that was left without a lock is not even valid JSON.');
  if (lost > 0 && locked.seconds > without.seconds) {
    lines.push('With the lock it takes longer: one at a time, and the list really grows.');
  }
  return lines.map((line) => screen.paint('dim', line));
}

/** What a waiter learns when its time is over. */
export function timeoutReport(screen: Screen, answer: WaitAnswer): string[] {
  const { code, message, waitedMs, holder } = answer;
  const lines = [
    '',
    screen.paint('bold', 'Who has it?'),
    `One process holds a lock; another waits for it and gives up after ${Math.round(waitedMs)} ms:`,
    '',
    `  ${screen.paint('yellow', `LockError ${code}`)}`,
    ...wrap(message, 76).map((line) => `  ${line}`),
    '',
  ];
  if (holder === null) return lines;
  const field = (name: string, value: string) => `  ${screen.paint('dim', name)}${value}`;
  return [
    ...lines,
    field('error.holder.pid      ', `${holder.pid}`),
    field('error.holder.command  ', holder.command),
    field('error.holder.owner    ', holder.owner),
    field('error.holder.since    ', holder.since.toISOString()),
    '',
  ];
}

/** The last lines, for those who read nothing else. */
export function verdict(screen: Screen, runs: RunFigures[]): string[] {
  return runs.map(({ locked, lost, expected }) => {
    const name = raceName(locked);
    if (lost === 0 && locked) return screen.paint('green', `✔ ${name}  every update was kept`);
    if (lost === 0) return screen.paint('yellow', `? ${name}  nothing lost, this time by luck`);
    const text = `✘ ${name}  ${count(lost)} of ${count(expected)} updates lost`;
    return screen.paint('red', text);
  });
}

/** A number for people: 2,000. */
export function count(number: number): string {
  return number.toLocaleString('en-US');
}

function times(number: number): string {
  return number === 1 ? 'once' : `${count(number)} times`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Breaks a text between words; a word that is longer than the width stays whole. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else {
      lines.push(word);
    }
  }
  return lines;
}
