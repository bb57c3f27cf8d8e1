/** `holdfast freeze NAME --ttl DURATION`: nobody new has it for a while. */
import { formatDuration } from '../duration.js';
import { plain } from '../owner.js';
import type { Context } from './context.js';
import { ExitCode, UsageError } from './exit-codes.js';

export async function run(context: Context): Promise<number> {
  const { args, leases, name } = context;
  const ttl = args.duration('ttl');
  if (ttl === undefined) throw new UsageError('freeze needs --ttl: it must end some day');
  await leases.freeze(name, { ttl });
  const until = new Date(Date.now() + ttl).toISOString();
  context.say(`froze ${plain(name)} for ${formatDuration(ttl)}`, {
    ok: true,
    name,
    ttlMs: ttl,
    until,
  });
  return ExitCode.ok;
}
