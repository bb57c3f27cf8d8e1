/** `holdfast status`: who holds what, at a glance. */
import Table from 'cli-table3';

import { Bell } from '../bell.js';
import { onAbort } from '../abort.js';
import { formatDuration } from '../duration.js';
import { LockError } from '../errors.js';
import type { LeaseInfo } from '../lease-info.js';
import { plain } from '../owner.js';
import { onFolderChange } from '../store/folder-watch.js';
import type { Context } from './context.js';
import { ExitCode, worst } from './exit-codes.js';
import { failureOf, type Failure } from './failure.js';
import { screenOn, type Screen } from './screen.js';
import { endlessMs, infoJson, outcomeJson } from './wording.js';

/** Ages and what is left change by themselves. */
const redrawMs = 1000;

/** Of words that people wrote; a line has to fit. */
const widest = 40;

export async function run(context: Context): Promise<number> {
  const { args, leases, output, errors } = context;
  if (args.flag('prune')) await leases.sweep();
  if (args.flag('watch')) return watch(context);
  const collected = await collect(context);
  const code = exitCodeOf(collected);
  if (args.flag('json')) output.write(`${json(collected, context)}\n`);
  else {
    const screen = screenOn(output);
    const { found } = collected;
    if (found.length > 0 || code === ExitCode.ok) screen.print(...picture(found, context, screen));
    for (const line of complaints(collected)) errors.write(`${line}\n`);
  }
  return code;
}

async function watch(context: Context): Promise<number> {
  const { args, output, signal, store } = context;
  const screen = screenOn(output);
  const bell = new Bell();
  const unlisten = onAbort(signal, bell.ring);
  const unwatch = store === undefined ? onFolderChange(context.root, bell.ring) : () => undefined;
  let last = '';
  while (!signal.aborted) {
    const collected = await collect(context);
    const text = args.flag('json')
      ? json(collected, context)
      : [...picture(collected.found, context, screen), ...failuresOf(collected)].join('\n');
    const standing = timeless(collected);
    if (screen.interactive && !args.flag('json')) output.write(redrawn(text, output.rows));
    else if (standing !== last) output.write(`${text}\n`);
    last = standing;
    await bell.wait(redrawMs);
  }
  unlisten();
  unwatch();
  return ExitCode.ok;
}

/** What there is, without what changes by itself; to be compared. */
function timeless({ found, missing, failures }: Collected): string {
  const leases = found.map((info) => infoJson(info, 0));
  return JSON.stringify([leases, missing, failures], (key, value: unknown) =>
    changesByItself.has(key) ? undefined : value,
  );
}

const changesByItself = new Set(['heldMs', 'leftMs', 'until']);

/**
 * To the top, the picture, and away with what was beside and below it: no flicker. What does not fit is
 * left out, or the screen would roll and the top be elsewhere; a long line is cut by the terminal
 * (DECAWM). The last row is the cursor's.
 */
function redrawn(text: string, rows = Infinity): string {
  const all = text.split('\n');
  const room = Math.max(2, rows - 1);
  const shown = all.length <= room ? all : all.slice(0, room - 1);
  if (shown.length < all.length) shown.push(`… and ${all.length - shown.length} more`);
  return `\u001b[?7l\u001b[H${shown.join('\u001b[K\n')}\u001b[J\n\u001b[?7h`;
}

/** What there is, the names that were asked for and nobody holds, and those that cannot be told of. */
async function collect({ args, leases, names }: Context): Promise<Collected> {
  const found: LeaseInfo[] = [];
  const missing: string[] = [];
  const failures: Collected['failures'][number][] = [];
  if (names.length === 0) {
    for await (const info of leases.list(args.text('prefix') ?? '')) found.push(info);
  }
  for (const name of names) {
    try {
      const info = await leases.inspect(name);
      if (info === null) missing.push(name);
      else found.push(info);
    } catch (error) {
      if (!(error instanceof LockError)) throw error;
      failures.push({ name, ...failureOf(error) });
    }
  }
  return { found, missing, failures };
}

interface Collected {
  readonly found: readonly LeaseInfo[];
  readonly missing: readonly string[];
  readonly failures: readonly (Failure & { readonly name: string })[];
}

function exitCodeOf({ missing, failures }: Collected): number {
  return worst([...missing.map(() => ExitCode.notFound), ...failures.map((each) => each.exitCode)]);
}

function complaints(collected: Collected): string[] {
  const missing = collected.missing.map((name) => `nobody holds ${plain(name)}`);
  return [...missing, ...failuresOf(collected)];
}

function failuresOf({ failures }: Collected): string[] {
  return failures.map(({ message }) => `holdfast status: ${plain(message)}`);
}

function json(collected: Collected, { where }: Context): string {
  const now = Date.now();
  const leases = collected.found.map((info) => infoJson(info, now));
  const { missing, failures } = collected;
  const message = complaints(collected).join('\n');
  return outcomeJson(exitCodeOf(collected), message, { root: where, leases, missing, failures });
}

function picture(found: readonly LeaseInfo[], { where, args }: Context, screen: Screen): string[] {
  if (found.length === 0) {
    const asked = args.operands.length > 0 ? 'that' : `anything in ${where}`;
    return [`nobody holds ${asked}`];
  }
  const heads = ['name', 'state', 'owner', 'process', 'for', 'left', 'token'];
  const table = new Table({
    head: heads.map((text) => screen.paint('bold', text)),
    style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 0 }, // its own colours would go to pipes as well
    chars: borderless,
  });
  const now = Date.now();
  for (const info of found) table.push(row(info, now, screen));
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd());
}

function row(info: LeaseInfo, now: number, screen: Screen): string[] {
  const { name, holder, leftMs, token } = info;
  return [
    short(name),
    stateText(info, screen),
    holder === null ? '-' : short(holder.owner),
    holder === null ? '-' : `${holder.pid} ${short(holder.command)}`,
    holder === null ? '-' : formatDuration(now - holder.since.getTime()),
    leftMs === null || leftMs > endlessMs ? '-' : formatDuration(leftMs),
    token === null ? '-' : String(token),
  ];
}

function stateText({ state, kind, why, freeze }: LeaseInfo, screen: Screen): string {
  const frozen = freeze !== null && state !== 'frozen' ? `, ${screen.paint('cyan', 'frozen')}` : '';
  if (state === 'held') return `${screen.paint('green', kind ?? why)}${frozen}`;
  return `${screen.paint(state === 'frozen' ? 'cyan' : 'yellow', state)}${frozen}`;
}

function short(text: string): string {
  const shown = Array.from(plain(text)); // half of a character would be none
  return shown.length <= widest ? shown.join('') : `${shown.slice(0, widest - 1).join('')}…`;
}

const borderless = Object.fromEntries(
  ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right']
    .concat(['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid', 'middle'])
    .map((part) => [part, part === 'middle' ? '  ' : '']),
);
