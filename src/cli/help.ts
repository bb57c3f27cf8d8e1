/** The text of `--help`, made of the commands' own definitions. */
import type { Context } from './context.js';
import { ExitCode, exitCodeTexts } from './exit-codes.js';
import { UnknownCommand } from './failure.js';
import { commonOptions, type CommandSpec, type OptionSpec } from './spec.js';
import { shownSpecs, specOf } from './specs.js';

export function run({ args, output }: Context): Promise<number> {
  const [name] = args.operands;
  const spec = name === undefined ? undefined : specOf(name);
  if (name !== undefined && spec === undefined) {
    throw new UnknownCommand(name);
  }
  output.write(spec === undefined ? overview() : commandHelp(spec));
  return Promise.resolve(ExitCode.ok);
}

/** All commands. */
export function overview(): string {
  const width = Math.max(...shownSpecs.map(({ name }) => name.length));
  return `${[
    'Usage: holdfast COMMAND [options]',
    '',
    'Leases that processes on one host agree on: one holder of a name at a time.',
    '',
    ...shownSpecs.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    '',
    'The leases are in HOLDFAST_ROOT; else in holdfast/ of the git directory, which worktrees',
    'share; else in the nearest .holdfast/ upwards; else in ./.holdfast. With --store or',
    'HOLDFAST_STORE they are in an etcd.',
    '',
    ...exitCodes(),
    '',
    'holdfast help COMMAND says more.',
  ].join('\n')}\n`;
}

/** One command. */
export function commandHelp({
  name,
  usage,
  summary,
  details,
  options,
  examples,
}: CommandSpec): string {
  const all = { ...options, ...commonOptions };
  const heads = Object.entries(all).map(([long, option]) => head(long, option));
  const width = Math.max(...heads.map(({ length }) => length));
  const texts = Object.values(all).map(({ text }) => text);
  return `${[
    `Usage: holdfast ${name} ${usage}`.trimEnd(),
    '',
    `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`,
    ...(details ?? []),
    '',
    ...heads.map((text, i) => `  ${text.padEnd(width)}  ${texts[i] ?? ''}`),
    ...(examples === undefined ? [] : ['', ...examples.map((line) => `  $ ${line}`)]),
    '',
    ...exitCodes(),
  ].join('\n')}\n`;
}

function exitCodes(): string[] {
  return [
    'Exit codes:',
    ...exitCodeTexts.map(([code, text]) => `  ${String(code).padStart(5)}  ${text}`),
  ];
}

function head(long: string, { short, value }: OptionSpec): string {
  const initial = short === undefined ? '    ' : `-${short}, `;
  return `${initial}--${long}${value === undefined ? '' : ` ${value}`}`;
}
