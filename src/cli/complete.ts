/**
 * `holdfast __complete WORD...`: what may stand in place of the last word, one a line. The completions
 * of all shells ask it, so that none of them knows more of the commands than how to ask.
 */
import { plain } from '../owner.js';
import { splitCommand, takesValue } from './arguments.js';
import { Context } from './context.js';
import { ExitCode } from './exit-codes.js';
import { openStore } from './remote.js';
import { commonOptions, type CommandSpec } from './spec.js';
import { shownSpecs, specOf } from './specs.js';

/** People wait for it, and pick from it. */
const mostNames = 200;

export async function run(context: Context): Promise<number> {
  const words = context.args.command;
  const last = words.at(-1) ?? '';
  for (const word of await candidates(context, words.slice(0, -1), last)) {
    if (word.startsWith(last)) context.output.write(`${word}\n`);
  }
  return ExitCode.ok;
}

async function candidates(
  context: Context,
  before: readonly string[],
  last: string,
): Promise<readonly string[]> {
  const { name, rest } = splitCommand(before);
  if (name === undefined) return shownSpecs.map((spec) => spec.name);
  const spec = specOf(name);
  if (spec === undefined) return [];
  const options = { ...spec.options, ...commonOptions };
  if (before.includes('--') || takesValue(options, before.at(-1) ?? '')) return [];
  if (last.startsWith('-')) return Object.keys(options).map((long) => `--${long}`);
  const given = rest.filter((word, at) => {
    return !word.startsWith('-') && !takesValue(options, rest[at - 1] ?? '');
  });
  return operands(await placed(context, rest), spec, given);
}

/** Where the words say that the leases are, for there the command will look for the names. */
async function placed(context: Context, words: readonly string[]): Promise<Context> {
  const args = { ...context.args, text: (option: string) => valueOf(words, `--${option}`) };
  return new Context(args, context.signal, context, await openStore(args, context.env));
}

/** Of this option among words that need not be complete. */
function valueOf(words: readonly string[], option: string): string | undefined {
  const at = words.findLastIndex((word) => word === option || word.startsWith(`${option}=`));
  const word = words[at];
  return word === option ? words[at + 1] : word?.slice(option.length + 1);
}

async function operands(
  context: Context,
  { operands: [, most], values }: CommandSpec,
  given: readonly string[],
): Promise<readonly string[]> {
  if (given.length >= most) return [];
  if (values !== undefined) return values();
  const names: string[] = [];
  for await (const { name } of context.leases.list()) {
    // A name that a line or a terminal could not carry is not one to be picked.
    if (plain(name) !== name || given.includes(name)) continue;
    if (names.push(name) >= mostNames) break;
  }
  return names;
}
