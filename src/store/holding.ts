/** What the holder of a lease does with it. */
import { LockError } from '../errors.js';
import { addon, dropHandle, isFailure, takeHandle } from '../native.js';
import { encodePrevious, type PreviousLease } from '../previous.js';
import { identityOf, parseRecord, type LeaseRecord } from '../record.js';
import { transactNow } from '../transaction.js';
import { FileGrant } from './file-grant.js';
import { adoptable, detachedRecord } from './grant.js';
import type { Place } from './place.js';
import { everUsed } from './upkeep.js';

/** Another TTL from now on, in milliseconds. */
export async function renew(place: Place, own: FileGrant): Promise<number> {
  if (own.detached) {
    await replace(place, own, (bytes) => own.renewed(bytes, place.now()).bytes);
  } else {
    const handle = liveness(own);
    if (own.ttl === null) {
      if (look(own) === false) throw lost(own);
      return Infinity;
    }
    const { bytes, expires } = own.renewed(own.bytes, place.now());
    const change = { kind: 'renew', record: bytes } as const;
    own.lent = addon.descriptorOf(handle);
    const { done } = await place.swap({ record: { own: own.bytes } }, change, handle);
    if (!done) throw lost(own);
    own.bytes = bytes;
    own.expiresAt = expires;
  }
  return own.ttl ?? Infinity;
}

/** The same, on this thread: undefined if it would have to wait. False: lost. */
export function renewNow(place: Place, own: FileGrant): boolean | undefined {
  if (own.detached || own.ttl === null) return undefined;
  if (own.handle === undefined) return false;
  const { bytes, expires } = own.renewed(own.bytes, place.now());
  const change = { kind: 'renew', record: bytes } as const;
  const result = transactNow(own.files, { record: { own: own.bytes } }, change, own.handle);
  if (result?.done !== true) return result?.done;
  own.bytes = bytes;
  own.expiresAt = expires;
  return true;
}

/** False: it was not ours any more. */
export function release(place: Place, own: FileGrant): Promise<boolean> {
  const { token, owner, pid } = own;
  const at = new Date(place.now().wallMs);
  return remove(place, own, { end: 'released', token, owner, pid, at, by: null });
}

/**
 * What nobody waits for any more goes back as if it had not been granted: the next one learns how the
 * lease before ended, perhaps by a crash.
 */
export async function giveBack(place: Place, own: FileGrant): Promise<void> {
  await remove(place, own, own.previous).catch(() => false); // it is over, whatever comes of it
}

async function remove(
  place: Place,
  own: FileGrant,
  previous: PreviousLease | null,
): Promise<boolean> {
  const note = previous === null ? '' : encodePrevious(previous);
  const change = { kind: 'remove', note, durable: own.durable } as const;
  try {
    const { done, found } = await place.swap({ record: { own: own.bytes } }, change, own.handle);
    // One that failed before may have removed it, and no more: then nobody has had it since.
    return done || (own.half && found.record === null);
  } catch (error) {
    own.half = true;
    throw error;
  } finally {
    own.close(); // if it could not be removed, it is the record of somebody dead
  }
}

/** The same lease with a record that stands without its process. */
export async function detach(place: Place, own: FileGrant, ttl: number): Promise<FileGrant> {
  const since = place.time(true);
  const made: { record?: LeaseRecord } = {};
  const next = (bytes: Buffer): Buffer => {
    const parsed = parseRecord(bytes);
    if (parsed.state !== 'valid') throw lost(own);
    const detached = detachedRecord(parsed.record, ttl, place.now());
    made.record = detached.record;
    return detached.bytes;
  };
  if (own.detached) await replace(place, own, next);
  else {
    const handle = liveness(own);
    const bytes = next(own.bytes);
    const change = { kind: 'replace', record: bytes, durable: true } as const;
    const { done } = await place.swap({ record: { own: own.bytes } }, change, handle);
    if (!done) throw lost(own);
    own.bytes = bytes;
    own.close();
  }
  const { record } = made;
  if (record === undefined) throw lost(own);
  const { files, token, bytes, previous } = own;
  return new FileGrant({ files, record, token, bytes, since }, previous);
}

/** A detached lease that was granted elsewhere. */
export async function adopt(place: Place, id: string, token: bigint): Promise<FileGrant> {
  const { name, files } = place;
  const path = `${files.base}.lock`;
  const view = everUsed(place) ? await place.look() : undefined;
  const bytes = view?.found.record;
  if (view === undefined || bytes == null) {
    throw new LockError('ERR_LOCK_NOT_FOUND', `nobody holds ${name}`, { path });
  }
  const record = adoptable(parseRecord(bytes), { name, id, token }, path);
  const ran = (record.ttl ?? 0) - (view.judgement.leftMs ?? 0);
  return new FileGrant({ files, record, token, bytes, since: place.time(true) - ran });
}

/** Is it still ours? Undefined: it cannot be told now. */
export function look(own: FileGrant): boolean | undefined {
  if (own.handle !== undefined) {
    const named = addon.stillNamed(own.handle, `${own.files.base}.lock`);
    return isFailure(named) ? undefined : named;
  }
  if (!own.detached) return false;
  const scratch = takeHandle();
  try {
    const expect = { record: { own: own.bytes } };
    return transactNow(own.files, expect, { kind: 'look' }, scratch)?.done;
  } finally {
    dropHandle(scratch);
  }
}

/** That of the record's inode, which is locked; of an attached lease only, and not on Windows. */
export function descriptor(own: FileGrant): number | undefined {
  return own.handle && (addon.descriptorOf(own.handle) ?? own.lent);
}

/**
 * Another record in the place of a detached one, made from what stands there: a later version may have
 * added fields. What was damaged meanwhile is written anew.
 */
async function replace(
  place: Place,
  own: FileGrant,
  make: (bytes: Buffer) => Buffer,
): Promise<void> {
  for (;;) {
    const { record } = (await place.look()).found;
    if (record === null || !identityOf(record).equals(identityOf(own.bytes))) throw lost(own);
    const bytes = make(parseRecord(record).state === 'valid' ? record : own.bytes);
    const change = { kind: 'replace', record: bytes, durable: true } as const;
    if (!(await place.swap({ record }, change)).done) continue;
    own.bytes = bytes;
    const parsed = parseRecord(bytes);
    if (parsed.state === 'valid') own.expiresAt = parsed.record.expires;
    return;
  }
}

function liveness(own: FileGrant): NonNullable<FileGrant['handle']> {
  if (own.handle === undefined) throw lost(own);
  return own.handle;
}

function lost({ name, files }: FileGrant): LockError {
  const path = `${files.base}.lock`;
  return new LockError('ERR_LOCK_LOST', `the lease ${name} is lost: somebody took it`, { path });
}
