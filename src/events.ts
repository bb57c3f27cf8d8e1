/**
 * What happens to locks and leases, on `node:diagnostics_channel`. Nothing is built or published
 * unless somebody has subscribed.
 *
 * - `tracingChannel('holdfast:acquire')`: start and end of every attempt and wait, with its error.
 * - `holdfast:release`: a lock or lease was given back.
 * - `holdfast:lost`: a holder found out that it is one no more.
 * - `holdfast:renew`: a lease was renewed or detached, or that failed (`error`).
 * - `holdfast:break`: a lease was taken away because it was stale, or by force.
 * - `holdfast:freeze`: a name was frozen, or thawed (`ttl: null`).
 */
import { channel, tracingChannel } from 'node:diagnostics_channel';

/** About a file lock; `result` and `error` are added by the tracing channel. */
export interface FileLockEvent {
  kind: 'file';
  /** The resource: absolute; where it is a link, what it points to. */
  resource: string;
  shared: boolean;
}

/** About a lease; `result` (the lease, or null for a denial) and `error` are added by the tracing channel. */
export interface LeaseEvent {
  kind: 'lease';
  /** The kind of store, and where it is. */
  store: string;
  location: string;
  name: string;
  /** Which lease of that name; null where there is none, or where it cannot be read. */
  id: string | null;
  token: bigint | null;
  /** Who holds or held it. */
  owner: string | null;
  /** Who acted. */
  by: string;
  detached: boolean | null;
  ttl: number | null;
  /** Of a break: what it was taken for, `held` for a live one that was broken by force. */
  state?: 'held' | 'expired' | 'dead' | 'corrupt';
  /** Of a denial: who held it then, and which lease; all null of a freeze. */
  holder?: string | null;
  holderId?: string | null;
  holderToken?: bigint | null;
  /** Of a denial: there is a freeze in force. */
  frozen?: boolean;
  /** Of a renewal: it is the one that made the lease outlive its process. */
  detaching?: true;
  error?: unknown;
}

/** What an event says of the lease that it is about. */
export type EventLease = Pick<LeaseEvent, 'name' | 'id' | 'token' | 'owner' | 'detached' | 'ttl'>;

/** Something that `by` did to a lease of this store, or failed to do. */
export function leaseEvent(
  store: { readonly capabilities: { readonly kind: string }; readonly location: string },
  { name, id, token, owner, detached, ttl }: EventLease,
  by: string,
): LeaseEvent {
  const where = {
    kind: 'lease',
    store: store.capabilities.kind,
    location: store.location,
  } as const;
  return { ...where, name, id, token, owner, by, detached, ttl };
}

/** The message on every channel. */
export type LockEvent = FileLockEvent | LeaseEvent;

export const acquireChannel = tracingChannel<unknown, LockEvent>('holdfast:acquire');
export const releaseChannel = channel('holdfast:release');
export const lostChannel = channel('holdfast:lost');
export const renewChannel = channel('holdfast:renew');
export const breakChannel = channel('holdfast:break');
export const freezeChannel = channel('holdfast:freeze');
