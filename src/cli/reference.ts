/** docs/cli.md, made of the same definitions as `--help`: `npm run docs:cli`. */
import { exitCodeTexts } from './exit-codes.js';
import { commonOptions, type CommandSpec, type OptionSpec } from './spec.js';
import { shownSpecs } from './specs.js';

/** The whole page, as Markdown. */
export function reference(): string {
  return [
    '<!-- Made by npm run docs:cli from src/cli; do not edit. -->',
    '# The command',
    introduction,
    '## Exit codes',
    table(
      ['code', 'meaning'],
      exitCodeTexts.map(([code, text]) => [String(code), text]),
    ),
    'A reader goes away as in `holdfast status | head -0`. `guard` passes on what its command exits with, whatever it is.',
    '## Options of every command',
    options(commonOptions),
    ...shownSpecs.flatMap(command),
  ].join('\n\n');
}

const introduction = `
\`holdfast\` takes, shows and ends leases (see [leases.md](leases.md)) from a shell.

**Where.** The leases are in \`HOLDFAST_ROOT\` (or \`LOKT_ROOT\`); else in \`holdfast/\` of git's common directory, which all worktrees of a repository share; else in the nearest \`.holdfast/\` upwards; else in \`./.holdfast\`. \`--root\` comes before all of them.

**Many machines.** With \`--store etcd://HOST:PORT/PREFIX\` or \`HOLDFAST_STORE\` the leases are in an etcd: several \`HOST:PORT\` with commas between them, \`etcds://\` for TLS with the files named by \`ETCDCTL_CACERT\`, \`ETCDCTL_CERT\` and \`ETCDCTL_KEY\`, user and password as \`USER:PASSWORD@\` before the hosts, percent-encoded, or as they are in \`ETCDCTL_USER\`. See [scale-out.md](scale-out.md).

**Who.** The owner is \`--owner\`, else \`HOLDFAST_OWNER\` (or \`LOKT_OWNER\`), else \`user@host\`. Only an owner who was named may lock again what it holds: two programs of one user are not one holder.

**How long.** A bare number is seconds, as in sleep(1); otherwise there is a unit: \`250ms\`, \`30s\`, \`5m\`, \`2h\`, \`1d\`.

**For programs.** With \`--json\` every outcome is one object on stdout, errors included, and stderr stays empty, unless [the audit log](#holdfast-audit) cannot be written. \`audit\` prints one for each line, \`status --watch\` one after the other; \`guard\` none once its command runs, and what goes wrong from then on is told on stderr. \`ok\` is true exactly if the exit code is 0; otherwise there are \`exitCode\`, \`message\` and, as a rule, \`code\`. Tokens are strings of decimal digits. Without \`--json\`, what was asked for is on stdout, and why it was refused on stderr.

Options stand before or after the name; \`--\` ends them.`.trim();

function command(spec: CommandSpec): string[] {
  const { name, usage, summary, details = [], examples = [] } = spec;
  return [
    `## holdfast ${name}`,
    block('text', [`holdfast ${name} ${usage}`.trimEnd()]),
    `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`,
    ...(details.length > 0 ? [details.join('\n').replaceAll('\n\n\n', '\n\n')] : []),
    ...(Object.keys(spec.options).length > 0 ? [options(spec.options)] : []),
    ...(examples.length > 0 ? [block('sh', examples)] : []),
  ];
}

function options(all: Readonly<Record<string, OptionSpec>>): string {
  const rows = Object.entries(all).map(([long, { short, value, text }]) => {
    const names = [`--${long}${value === undefined ? '' : ` ${value}`}`];
    if (short !== undefined) names.unshift(`-${short}`);
    return [names.map((each) => `\`${each}\``).join(', '), text];
  });
  return table(['option', 'meaning'], rows);
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n');
}

function block(language: string, lines: readonly string[]): string {
  return ['```' + language, ...lines, '```'].join('\n');
}
