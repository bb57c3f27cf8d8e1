/** What anybody may do to a name, without holding it. */
import { statSync } from 'node:fs';
import { dirname } from 'node:path';

import { LockError, type LockErrorCode, type SystemError } from '../errors.js';
import { unknowable, type LeaseInfo, type Unknowable } from '../lease-info.js';
import { addon } from '../native.js';
import { encodePrevious, endOf, previousLease } from '../previous.js';
import { takeable } from '../staleness.js';
import type { Patience, Snapshot } from '../transaction.js';
import { freezeBytes } from './grant.js';
import { expectation, type Place, type View } from './place.js';
import type { Break, Owner } from './store.js';

/**
 * False: there are no files of this name, and looking under the guard would create one. A file that may
 * not be looked at may be there, and where there is no folder but something else, nothing is known;
 * the look says why not.
 */
export function everUsed({ files: { base } }: Place): boolean {
  const suffixes = ['.lock', '.guard', '.freeze'];
  if (suffixes.some((suffix) => addon.identify(base + suffix, false) !== undefined)) return true;
  try {
    return !statSync(dirname(base)).isDirectory();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}

/** What is known of the name; undefined if nobody holds it and it is not frozen. */
export async function inspect(place: Place, patience?: Patience): Promise<LeaseInfo | undefined> {
  if (!everUsed(place)) return undefined;
  const view = await place.look(undefined, patience);
  const nothing = view.found.record === null && view.judgement.state === 'free';
  return nothing ? undefined : place.info(view);
}

/** The same, for one of many: what cannot be told of one does not end the list. */
export async function listed(place: Place): Promise<LeaseInfo | undefined> {
  try {
    return await inspect(place, { patience: listPatience });
  } catch (error) {
    const why = error instanceof LockError ? unknowns[error.code] : undefined;
    if (why === undefined) throw error;
    return unknowable(place.name, why);
  }
}

/** A list is for people, and other names wait behind a guard that stays locked. */
const listPatience = 500;

const unknowns: Partial<Record<LockErrorCode, Unknowable>> = {
  ERR_LOCK_NOT_REGULAR: 'not a regular file',
  ERR_LOCK_BUSY: 'guard busy',
  ERR_LOCK_SYSTEM: 'unreadable file',
};

/** The bytes that stand there, as far as that can be told. */
export async function snapshot(place: Place): Promise<Snapshot | undefined> {
  try {
    return (await place.look(undefined, { patience: listPatience })).found;
  } catch (error) {
    if (error instanceof LockError && unknowns[error.code] !== undefined) return undefined;
    throw error;
  }
}

/** Takes the lease away from whoever has it, or only from one that is stale. */
export async function breakLease(
  place: Place,
  { token, stale = false, by }: Break,
): Promise<LeaseInfo | undefined> {
  if (!everUsed(place)) return undefined;
  for (;;) {
    const view = await place.look();
    const { beneath, record, why } = view.judgement;
    if (view.found.record === null) return undefined;
    if (token !== undefined && record?.token !== token) return undefined;
    if (stale && !takeable(beneath)) return undefined;
    if (why === 'sidecar') {
      const path = `${place.files.base}.lock`;
      throw new LockError('ERR_LOCK_HELD', `${path} is the sidecar of a file lock`, { path });
    }
    if (await remove(place, view, by.owner)) return place.infoOfBroken(view);
  }
}

/** Nobody new is granted the name for so long; one freeze takes the place of another. */
export async function freeze(place: Place, ttl: number, by: Owner): Promise<void> {
  for (let done = false; !done;) {
    const { found, now } = await place.look();
    const bytes = freezeBytes(place.name, ttl, by, now);
    const change = { kind: 'freeze', bytes, durable: true } as const;
    ({ done } = await place.swap({ record: 'anything', freeze: found.freeze }, change));
  }
}

/** False: it was not frozen. */
export async function unfreeze(place: Place): Promise<boolean> {
  if (!everUsed(place)) return false;
  for (;;) {
    const view = await place.look();
    if (view.found.freeze === null) return false;
    if (await thaw(place, view)) return view.judgement.freeze !== null;
  }
}

/**
 * Removes a stale record, which is returned, a freeze that is over, and a left-over. What is no file,
 * is another user's, or has a guard that stays locked, is left alone, and the others are swept.
 */
export async function sweep(place: Place, unfinished: boolean): Promise<LeaseInfo | undefined> {
  try {
    return await sweepAll(place, unfinished);
  } catch (error) {
    const code = error instanceof LockError ? error.code : undefined;
    if (code === 'ERR_LOCK_NOT_REGULAR' || code === 'ERR_LOCK_BUSY') return undefined;
    if (code === 'ERR_LOCK_SYSTEM' && isForbidden(error)) return undefined;
    throw error;
  }
}

function isForbidden(error: unknown): boolean {
  const { code } = ((error as Error).cause ?? {}) as Partial<SystemError>;
  return code === 'EACCES' || code === 'EPERM';
}

async function sweepAll(place: Place, unfinished: boolean): Promise<LeaseInfo | undefined> {
  if (unfinished) await place.swap({ record: 'anything' }, { kind: 'tidy' });
  for (;;) {
    const view = await place.look();
    const { freeze, beneath } = view.judgement;
    if (view.found.freeze !== null && freeze === null && !(await thaw(place, view))) continue;
    if (view.found.record === null || !takeable(beneath)) return undefined;
    if (await remove(place, view, null)) return place.infoOfBroken(view);
  }
}

async function remove(place: Place, view: View, by: string | null): Promise<boolean> {
  const { judgement, now } = view;
  const { record, dead = false } = expectation(view);
  const end = endOf(judgement.beneath);
  const note = encodePrevious(previousLease(end, judgement.record, now.wallMs, by));
  const durable = judgement.record?.kind !== 'attached';
  return (await place.swap({ record, dead }, { kind: 'remove', note, durable })).done;
}

async function thaw(place: Place, { found: { freeze } }: View): Promise<boolean> {
  const change = { kind: 'unfreeze', durable: true } as const;
  return (await place.swap({ record: 'anything', freeze }, change)).done;
}
