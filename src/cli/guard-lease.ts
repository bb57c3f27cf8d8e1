/** The attached lease that `holdfast guard NAME` holds. */
import { LockError } from '../errors.js';
import { checkLeaseOptions, type AcquireOptions } from '../lease-options.js';
import { plain } from '../owner.js';
import type { Context } from './context.js';
import { asUsage, UsageError } from './exit-codes.js';
import { announceWait, readMeta, refuse } from './taking.js';

/** What a guard holds while its command runs. */
export interface Held {
  /** For people. */
  readonly what: string;
  /** Told to the command. */
  readonly env: Readonly<Record<string, string>>;
  readonly descriptor: number | undefined;
  /** Aborted when it is lost. Without one it cannot be. */
  readonly lost?: AbortSignal;
  /** Notices a loss now, not within a second. */
  look?(): void;
  /** False: it was lost. */
  release(): Promise<boolean>;
}

const refusals = new Set<string>(['ERR_LOCK_HELD', 'ERR_LOCK_FROZEN', 'ERR_LOCK_TIMEOUT']);
const ofFiles = ['shared', 'no-wait', 'conflict-exit-code'] as const;

/**
 * The child finds the lease where it is: in the store that was named, or in the folder that was,
 * although a store is set, and whatever folder it goes to. What was not named it finds as we did.
 */
function placeFor({ args, root }: Context): Record<string, string> {
  const store = args.text('store');
  if (store !== undefined) return { HOLDFAST_STORE: store };
  return args.text('root') === undefined ? {} : { HOLDFAST_STORE: '', HOLDFAST_ROOT: root };
}

/** The lease, or the exit code of a refusal. */
export async function takeLease(context: Context): Promise<Held | number> {
  const { args, leases, name, signal } = context;
  if (args.operands.length === 0) throw new UsageError('guard needs a name, or --file PATH');
  for (const option of ofFiles) {
    if (args.flag(option) || args.text(option) !== undefined) {
      throw new UsageError(`--${option} goes with --file`);
    }
  }
  const timeout = args.duration('timeout', 0) ?? (args.flag('wait') ? Infinity : 0);
  const ttl = args.duration('ttl');
  const options: AcquireOptions = {
    timeout,
    signal,
    ...readMeta(args.text('meta')),
    ...(ttl === undefined ? {} : { ttl }),
  };
  asUsage(() => checkLeaseOptions(options));
  if (timeout > 0) await announceWait(context);
  try {
    const lease = await leases.acquire(name, options);
    return {
      what: `the lease ${plain(name)}`,
      env: {
        HOLDFAST_NAME: name,
        HOLDFAST_TOKEN: String(lease.token),
        HOLDFAST_ID: lease.id,
        HOLDFAST_DIR: leases.location,
        ...placeFor(context),
      },
      descriptor: lease.descriptor,
      lost: lease.signal,
      look: () => {
        try {
          lease.assertHeld();
        } catch {
          // If it is lost the signal says so.
        }
      },
      release: async () => (await lease.release()) === 'released',
    };
  } catch (error) {
    if (error instanceof LockError && refusals.has(error.code)) return refuse(context, error);
    throw error;
  }
}
