/** From the words of a command line to options and operands. */
import { parseArgs, type ParseArgsConfig } from 'node:util';

import { duration } from '../duration.js';
import { UsageError } from './exit-codes.js';
import { commonOptions, type CommandSpec, type OptionSpec } from './spec.js';
import { specs } from './specs.js';

/** What was asked for. */
export interface Arguments {
  readonly flag: (name: string) => boolean;
  readonly text: (name: string) => string | undefined;
  /** In milliseconds, at least so many (default 1); a bare number is seconds, as in sleep(1). */
  readonly duration: (name: string, least?: 0 | 1) => number | undefined;
  readonly operands: readonly string[];
  /** What follows `--`, where a command is expected there. */
  readonly command: readonly string[];
}

/** @throws {UsageError} */
export function readArguments(spec: CommandSpec, words: readonly string[]): Arguments {
  const { values, operands, command } = parse(spec, words);
  const [least, most] = spec.operands;
  if (values['help'] !== true) {
    if (operands.length < least) throw new UsageError(`${spec.name} needs ${wanted(spec)}`);
    if (operands.length > most) throw new UsageError(`unexpected '${operands[most] ?? ''}'`);
  }
  const text = (name: string): string | undefined => {
    const value = values[name];
    return typeof value === 'string' ? value : undefined;
  };
  return {
    flag: (name) => values[name] === true,
    text,
    duration: (name, least = 1) => {
      const value = text(name);
      return value === undefined ? undefined : durationOf(name, value, least);
    },
    operands,
    command,
  };
}

function wanted({ values }: CommandSpec): string {
  return values === undefined ? 'a name' : `one of ${values().join(', ')}`;
}

/** A bare number is seconds, as in sleep(1). */
function durationOf(name: string, value: string, least: 0 | 1): number {
  const text = /^[\d.]+$/.test(value) ? `${value}s` : value;
  try {
    return duration(text, `--${name}`, least);
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message);
    const forms = 'a duration such as 90, 250ms, 30s, 5m, 2h';
    throw new UsageError(`--${name} must be ${forms}, not '${value}'`);
  }
}

function parse(spec: CommandSpec, words: readonly string[]) {
  const options: NonNullable<ParseArgsConfig['options']> = {};
  for (const [name, { short, value }] of Object.entries({ ...commonOptions, ...spec.options })) {
    options[name] = {
      type: value === undefined ? 'boolean' : 'string',
      ...(short === undefined ? {} : { short }),
    };
  }
  // What follows `--` belongs to somebody else, where a command is taken.
  const end = spec.command === true ? words.indexOf('--') : -1;
  const args = end === -1 ? [...words] : words.slice(0, end);
  try {
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
    return {
      values: values as Record<string, string | boolean | undefined>,
      operands: positionals,
      command: end === -1 ? [] : words.slice(end + 1),
    };
  } catch (error) {
    throw new UsageError(complaint((error as Error).message));
  }
}

/** Of parseArgs the first sentence, which names the option; the rest explains parseArgs. */
function complaint(message: string): string {
  const [sentence = ''] = message.split(/\. |\n/);
  const missing = /^Option '(?:-\w, )?(--[\w-]+).*(?:missing|ambiguous)/.exec(sentence);
  if (missing !== null) return `${missing[1] ?? ''} needs a value`;
  return sentence.charAt(0).toLowerCase() + sentence.slice(1).replace(/\.$/, '');
}

/** Options may stand before the command, too. */
export function splitCommand(words: readonly string[]): {
  name: string | undefined;
  rest: string[];
} {
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? '';
    const rest = words.toSpliced(at, 1);
    if (word === '--version' || word === '-V') return { name: 'version', rest };
    if (!word.startsWith('-')) return { name: word, rest };
    if (takesValueSomewhere(word)) at++;
  }
  if (words.some((word) => word === '--help' || word === '-h')) return { name: 'help', rest: [] };
  return { name: undefined, rest: [...words] };
}

/** Is the next word the value of this option, in whatever command has it? */
function takesValueSomewhere(word: string): boolean {
  return [commonOptions, ...specs.map(({ options }) => options)].some((options) =>
    takesValue(options, word),
  );
}

/** Is the next word the value of this one? */
export function takesValue(options: Readonly<Record<string, OptionSpec>>, word: string): boolean {
  return Object.entries(options).some(
    ([long, { short, value }]) =>
      value !== undefined &&
      (word === `--${long}` || (short !== undefined && word === `-${short}`)),
  );
}
