/** `holdfast why NAME`: all that keeps it from being locked, and what to type next. */
import { formatDuration } from '../duration.js';
import type { LeaseInfo } from '../lease-info.js';
import { plain } from '../owner.js';
import type { Arguments } from './arguments.js';
import type { Context } from './context.js';
import { ExitCode } from './exit-codes.js';
import { option, typed } from './shell.js';
import { denial, infoJson } from './wording.js';

export async function run(context: Context): Promise<number> {
  const { args, leases, name } = context;
  const info = await leases.inspect(name);
  const blocked = info?.state === 'held' || info?.state === 'frozen';
  const lines = info === null ? [`${plain(name)} is free`] : explain(info, args);
  if (!blocked) lines.push(`  $ ${typed(args, 'lock', name)}`);
  const data = info === null ? { name, state: 'free' } : infoJson(info, Date.now());
  const code = blocked ? ExitCode.held : ExitCode.ok;
  if (args.flag('json')) context.tell(code, lines[0] ?? '', { ...data, explanation: lines });
  else context.output.write(`${lines.join('\n')}\n`);
  return code;
}

function explain(info: LeaseInfo, args: Arguments): string[] {
  const name = plain(info.name);
  const lines: string[] = [];
  const { state, why, kind, freeze, holder } = info;
  if (state === 'held') lines.push(denial(info, Date.now()), ...ofHolder(info));
  else if (state === 'expired') lines.push(`${name} has expired: whoever asks next takes it`);
  else if (state === 'dead')
    lines.push(`the holder of ${name} is dead: whoever asks next takes it`);
  else if (state === 'corrupt') {
    lines.push(`the record of ${name} cannot be read (${info.corruption ?? why}), and nobody is`);
    lines.push('behind it: whoever asks next takes it');
  }
  if (freeze !== null) {
    const left = freeze.leftMs === null ? '' : ` for another ${formatDuration(freeze.leftMs)}`;
    lines.push(`${name} is frozen by ${plain(freeze.owner ?? 'a later version')}${left}`);
    lines.push(`  $ ${typed(args, 'unfreeze', info.name)}`);
  }
  if (state === 'held' && kind === 'detached') {
    const owner = holder === null ? [] : option('owner', holder.owner);
    lines.push(`  $ ${typed(args, 'unlock', info.name, owner)}`);
  }
  if (state === 'held' && why !== 'sidecar') {
    lines.push(`  $ ${typed(args, 'unlock', info.name, ['--force'])}`);
  }
  return lines;
}

/** Why it cannot simply be taken. */
function ofHolder({ name, kind, why, ttl }: LeaseInfo): string[] {
  if (kind === 'attached') {
    const renewed = ttl === null ? '' : `, or when it is not renewed for ${formatDuration(ttl)}`;
    return [`it lives with its process and ends with it${renewed}`];
  }
  if (kind === 'detached') return ['its process may be gone: it stands until its TTL or an unlock'];
  if (why === 'sidecar') {
    return [
      `${plain(name)}.lock is what file locks on ${plain(name)} are taken on: take another name`,
    ];
  }
  return [`nothing more is known: ${why}. What is not known counts as held`];
}
