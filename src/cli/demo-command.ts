/**
 * `holdfast demo`: shows what a lock is for. Reads the arguments, plays the acts and tells them; a
 * signal that ends it, or a reader that goes away, still leaves no process and no file behind.
 */
import type { Arguments } from './arguments.js';
import type { Context } from './context.js';
import { playActs, type DemoFigures, type DemoOptions } from './demo-acts.js';
import { narratorOn } from './demo-narrator.js';
import { explanation, introduction, raceTable, timeoutReport, verdict } from './demo-text.js';
import { ExitCode, UsageError } from './exit-codes.js';
import { screenOn, type Output } from './screen.js';

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

export async function run(context: Context): Promise<number> {
  const { args, output, signal } = context;
  const processes = wholeNumber(args, 'processes', 8, [2, 64]);
  const entries = wholeNumber(args, 'entries', 250, [1, 10_000]);
  const json = args.flag('json');
  const request = { processes, entries, signal };
  const figures = json ? await playActs(request, {}) : await demo(request, output);
  const { lost } = figures.withLock;
  const code = lost === 0 ? ExitCode.ok : ExitCode.failed;
  if (json) context.tell(code, `${lost} entries were lost with the lock`, { ...figures });
  return code;
}

function wholeNumber(
  args: Arguments,
  name: string,
  otherwise: number,
  [min, max]: readonly [number, number],
): number {
  const text = args.text(name) ?? String(otherwise);
  const number = /^\d+$/.test(text) ? Number(text) : NaN;
  if (number >= min && number <= max) return number;
  throw new UsageError(`--${name} must be a whole number from ${min} to ${max}, not '${text}'`);
}
