/**
 * From the words of a command line to an exit code.
 *
 * A command's code is loaded when it is asked for, so that taking a lease does not wait for tables
 * and progress bars.
 */
import { readArguments, splitCommand } from './arguments.js';
import type { Context, Surroundings } from './context.js';
import { ExitCode, type FinalCode } from './exit-codes.js';
import { tellFailure, UnknownCommand } from './failure.js';
import { openStore } from './remote.js';
import { interruptible } from './interruptible.js';
import { specOf } from './specs.js';

type Run = (context: Context) => Promise<number | FinalCode>;

const commands: Record<string, () => Promise<{ run: Run }>> = {
  lock: () => import('./lock.js'),
  unlock: () => import('./unlock.js'),
  guard: () => import('./guard.js'),
  status: () => import('./status.js'),
  exists: () => import('./exists.js'),
  why: () => import('./why.js'),
  freeze: () => import('./freeze.js'),
  unfreeze: () => import('./unfreeze.js'),
  audit: () => import('./audit.js'),
  doctor: () => import('./doctor.js'),
  demo: () => import('./demo-command.js'),
  version: () => import('./version.js'),
  completion: () => import('./completion.js'),
  __complete: () => import('./complete.js'),
  help: () => import('./help.js'),
};

/** Runs one command. Nothing is thrown: whatever goes wrong is told and becomes the exit code. */
export async function main(words: readonly string[], around: Surroundings): Promise<number> {
  const { name, rest } = splitCommand(words);
  try {
    return await interruptible(around.output, (signal) => dispatch(name, rest, signal, around));
  } catch (error) {
    return tellFailure(error, name, rest, around);
  }
}

async function dispatch(
  name: string | undefined,
  words: readonly string[],
  signal: AbortSignal,
  around: Surroundings,
): Promise<number | FinalCode> {
  if (words.length === 0 && name === undefined) {
    const { overview } = await import('./help.js');
    around.errors.write(overview());
    return ExitCode.usage;
  }
  const spec = name === undefined ? undefined : specOf(name);
  if (name === undefined || spec === undefined) throw new UnknownCommand(name);
  const args = readArguments(spec, words);
  // The command's own code, or what explains it; the context brings the library along.
  const load = commands[args.flag('help') ? 'help' : name];
  if (load === undefined) throw new Error(`${name} has no code`);
  const changes = spec.changes === true && !args.flag('help');
  const [{ run }, { Context }, log] = await Promise.all([
    load(),
    import('./context.js'),
    changes ? import('./audited.js') : undefined,
  ]);
  const placeless = spec.placeless === true || args.flag('help');
  const store = placeless ? undefined : await openStore(args, around.env);
  const about = args.flag('help') ? { ...args, operands: [name] } : args;
  const context = new Context(about, signal, around, store);
  return log === undefined ? run(context) : log.audited(name, context, run);
}
