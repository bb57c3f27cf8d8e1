/**
 * `holdfast demo`: shows what a lock is for. Reads the arguments, plays the acts and tells them; a
 * signal that ends it, or a reader that goes away, still leaves no process and no file behind.
 */
import { parseArgs } from 'node:util';

import { playActs, type DemoFigures, type DemoOptions } from './demo-acts.js';
import { narratorOn } from './demo-narrator.js';
import { explanation, introduction, raceTable, timeoutReport, verdict } from './demo-text.js';
import { ExitCode, signalExitCode } from './exit-codes.js';
import { screenOn, type Output } from './screen.js';

const help = `Usage: holdfast demo [options]

Several processes add entries to one JSON file, first without a lock and then with
one, and the demo counts what is left. Then it shows who holds a lock that another
process waits for.

  --processes N   processes, 2 to 64 (default 8)
  --entries N     entries that each process adds, 1 to 10000 (default 250)
  --json          print the figures as JSON
  --help          print this text

Exit code: 0 when nothing was lost with the lock, 1 otherwise, 64 for wrong usage.
`;

/**
 * Plays the demo on a stream.
 *
 * @returns the figures, after they have been told
 * @throws `options.signal.reason`, or an Error when a process of the demo fails
 *
 * @example
 * const { withLock } = await demo({ processes: 8, entries: 250 }, process.stdout);
 */
export async function demo(options: DemoOptions, output: Output): Promise<DemoFigures> {
  const screen = screenOn(output);
  const narrator = narratorOn(screen);
  screen.print(...introduction(screen, options));
  try {
    const figures = await playActs(options, narrator);
    const runs = [figures.withoutLock, figures.withLock];
    screen.print(
      ...raceTable(screen, runs),
      ...explanation(screen, figures.withoutLock, figures.withLock),
      ...timeoutReport(screen, figures.timeout),
      ...verdict(screen, runs),
    );
    return figures;
  } finally {
    narrator.stop();
  }
}

/** The command: from arguments to an exit code. */
export async function demoCommand(args: string[], output: Output, errors: Output): Promise<number> {
  let options: ReturnType<typeof readArguments>;
  try {
    options = readArguments(args);
  } catch (error) {
    errors.write(`holdfast demo: ${(error as Error).message}\nTry --help.\n`);
    return ExitCode.usage;
  }
  if (options.help) {
    output.write(help);
    return ExitCode.ok;
  }
  const { processes, entries, json } = options;
  return interruptible(output, errors, async (signal) => {
    const request = { processes, entries, signal };
    const figures = json ? await playActs(request, {}) : await demo(request, output);
    if (json) output.write(`${JSON.stringify(figures, null, 2)}\n`);
    return figures.withLock.lost === 0 ? ExitCode.ok : ExitCode.failed;
  });
}

/** @throws TypeError or RangeError with a message for people */
function readArguments(args: string[]) {
  const { values } = parseArgs({
    args,
    options: {
      processes: { type: 'string', default: '8' },
      entries: { type: 'string', default: '250' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  return {
    processes: wholeNumber('--processes', values.processes, 2, 64),
    entries: wholeNumber('--entries', values.entries, 1, 10_000),
    json: values.json,
    help: values.help,
  };
}

function wholeNumber(name: string, text: string, min: number, max: number): number {
  const number = /^\d+$/.test(text) ? Number(text) : NaN;
  if (number >= min && number <= max) return number;
  throw new RangeError(`${name} must be a whole number from ${min} to ${max}, not '${text}'`);
}

/**
 * Runs `fn` with a signal that aborts on Ctrl-C and its kin. The handlers stay until `fn` has
 * cleaned up: npm passes on a Ctrl-C that the terminal has already delivered.
 */
async function interruptible(
  output: Output,
  errors: Output,
  fn: (signal: AbortSignal) => Promise<number>,
): Promise<number> {
  const controller = new AbortController();
  let interruptedBy: NodeJS.Signals | undefined;
  const interrupt = (signal: NodeJS.Signals) => {
    interruptedBy ??= signal;
    controller.abort();
  };
  const onOutputError = () => {
    interrupt('SIGPIPE');
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, interrupt);
  output.on('error', onOutputError); // stays: what was written last may fail later
  try {
    const code = await fn(controller.signal);
    return interruptedBy === undefined ? code : signalExitCode(interruptedBy);
  } catch (error) {
    if (interruptedBy !== undefined) return signalExitCode(interruptedBy);
    errors.write(`holdfast demo: ${error instanceof Error ? error.message : String(error)}\n`);
    return ExitCode.failed;
  } finally {
    for (const signal of signals) process.off(signal, interrupt);
  }
}
