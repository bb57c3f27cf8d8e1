/** `holdfast lock NAME`: takes a lease that outlives the command. */
import { formatDuration, longestDuration } from '../duration.js';
import { LockError } from '../errors.js';
import { checkLeaseOptions, type AcquireOptions } from '../lease-options.js';
import type { Lease } from '../lease.js';
import { plain } from '../owner.js';
import type { Context } from './context.js';
import { asUsage, ExitCode } from './exit-codes.js';
import { flushed } from './interruptible.js';
import { announceWait, readMeta, refuse } from './taking.js';
import { endlessMs } from './wording.js';

export async function run(context: Context): Promise<number> {
  const { args, leases, name, signal } = context;
  const timeout = args.duration('timeout', 0) ?? (args.flag('wait') ? Infinity : 0);
  const meta = readMeta(args.text('meta'));
  const ttl = args.duration('ttl') ?? longestDuration;
  const options: AcquireOptions = { ttl, detached: true, signal, ...meta };
  asUsage(() => checkLeaseOptions(options));
  // First, for whoever has it already is refused nothing, and nobody should read so in the log.
  const renewed = await reenter(context, ttl);
  if (renewed !== null) return report(context, renewed, true);
  const taken = await leases.tryAcquire(name, options);
  if (taken !== null) return granted(context, taken);
  // The same owner may have been faster by another process.
  const late = await reenter(context, ttl);
  if (late !== null) return report(context, late, true);
  if (timeout === 0) return refuse(context);
  await announceWait(context);
  try {
    return await granted(context, await leases.acquire(name, { ...options, timeout }));
  } catch (error) {
    if (!(error instanceof LockError) || error.code !== 'ERR_LOCK_TIMEOUT') throw error;
    return refuse(context, error);
  }
}

/**
 * Whoever has said who it is, and holds the lease already, has it anew. A default owner has not: two
 * programs of one user are not one holder.
 */
async function reenter({ leases, name, namedOwner }: Context, ttl: number): Promise<Lease | null> {
  const info = namedOwner === undefined ? null : await leases.inspect(name);
  if (info?.kind !== 'detached' || info.state !== 'held') return null;
  const { id, token, holder } = info;
  if (id === null || token === null || holder?.owner !== namedOwner) return null;
  try {
    const lease = await leases.adopt(name, { id, token });
    await lease.detach({ ttl });
    return lease;
  } catch (error) {
    if (error instanceof LockError && gone.has(error.code)) return null;
    throw error;
  }
}

/** Somebody was faster; then it is held, as for everybody. */
const gone = new Set<string>(['ERR_LOCK_LOST', 'ERR_LOCK_NOT_FOUND', 'ERR_LOCK_NOT_OWNER']);

/** Whoever has not learnt of it, or has given up, would not end it: then it is given back. */
async function granted(context: Context, lease: Lease): Promise<number> {
  const { signal, output } = context;
  if (!signal.aborted) {
    report(context, lease, false);
    await flushed(output);
  }
  if (signal.aborted) await lease.release();
  return ExitCode.ok; // unless it was interrupted
}

function report(context: Context, lease: Lease, renewed: boolean): number {
  const { ttl } = lease;
  const how = renewed ? 'renewed' : 'locked';
  const until = ttl === null || ttl > endlessMs ? 'until unlocked' : `for ${formatDuration(ttl)}`;
  const line = `${how} ${plain(lease.name)} ${until}; token ${lease.token}`;
  context.say(line, { ok: true, ...lease.toJSON(), renewed });
  return ExitCode.ok;
}
