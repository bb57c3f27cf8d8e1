/** What all commands that take a lease have in common. */
import type { LockError } from '../errors.js';
import type { LeaseInfo } from '../lease-info.js';
import type { AcquireOptions } from '../lease-options.js';
import { plain } from '../owner.js';
import { takeable } from '../staleness.js';
import type { Context } from './context.js';
import { ExitCode, UsageError } from './exit-codes.js';
import { denial } from './wording.js';

/** The answer to whoever asked for what somebody else has. @returns the exit code */
export async function refuse(context: Context, error?: LockError): Promise<number> {
  const info: LeaseInfo | null = await context.leases.inspect(context.name);
  if (info !== null && !takeable(info.state)) return context.deny(info, error?.code);
  // It was held when it was asked for, and is not any more: the answer stands.
  const message = error?.message ?? `${plain(context.name)} was held a moment ago`;
  return context.fail(ExitCode.held, message, { code: error?.code ?? 'ERR_LOCK_HELD' });
}

/** People want to know what they wait for; scripts do not. */
export async function announceWait({ leases, name, errors }: Context): Promise<void> {
  const info = errors.isTTY === true ? await leases.inspect(name) : null;
  if (info !== null) errors.write(`waiting: ${denial(info, Date.now())}\n`);
}

/** @throws {UsageError} */
export function readMeta(text: string | undefined): Pick<AcquireOptions, 'meta'> {
  if (text === undefined) return {};
  try {
    return { meta: JSON.parse(text) as NonNullable<AcquireOptions['meta']> };
  } catch {
    throw new UsageError('--meta must be JSON');
  }
}
