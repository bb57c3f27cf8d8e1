/** What the holder of a lease does with it. */
import { randomUUID } from 'node:crypto';

import { LockError } from '../../errors.js';
import { wallClock } from '../../now.js';
import { adoptable, detachedRecord, type Adoptable } from '../grant.js';
import { get, modifiedIs, now, put, remove, unlessOver, type Client } from './client.js';
import { EtcdGrant, encodeEntry, isBroken, type Placed } from './entry.js';
import type { Ground } from './ground.js';

/** Another TTL from now on, in milliseconds. */
export async function renew({ client, transport }: Ground, own: EtcdGrant): Promise<number> {
  const { key, modified, term } = await settle(client, own);
  const timeout = Math.min(transport.timeout, term.ttl / 2);
  for (;;) {
    const { ttl, raftTerm } = await client.keepAlive(term.id, { timeout });
    const read = await client.transact([], [get(key)], [], { timeout });
    // The same key by the same lease of etcd may be another: questions that arrive once more, after a
    // break, create both again.
    if (ttl === 0 || read.found[0]?.[0]?.modified !== modified) throw own.lost;
    // A leader that was cut off renews leases without asking anybody. If there has been another since,
    // this read, which a majority has agreed to, is of a later term.
    if (read.raftTerm !== raftTerm) continue;
    own.expiresAt = Date.now() + ttl;
    return ttl;
  }
}

/**
 * False: it was not ours any more. It leaves a mark, which ends with the lease of etcd: a release that
 * arrives twice finds its own, and one whose answer was lost is known when it is asked for again.
 */
export async function release({ client, root }: Ground, own: EtcdGrant): Promise<boolean> {
  const { key, modified, term } = await settle(client, own);
  const call = (own.releasing ??= randomUUID());
  const mark = `${root}released/${own.id}`;
  const outcome = await client
    .transact([modifiedIs(key, modified)], [remove(key), put(mark, call, term.id)], [get(mark)])
    .catch(unlessOver);
  own.releasing = undefined;
  void client.drop(term.id);
  return outcome?.succeeded === true || outcome?.found[0]?.[0]?.value.toString() === call;
}

/** The same key, by a lease of etcd that lasts as long as is said. */
export async function detach({ client }: Ground, own: EtcdGrant, ttl: number): Promise<EtcdGrant> {
  const { key, modified, record: attached } = await settle(client, own);
  for (;;) {
    const term = await client.grant(ttl);
    const { record, bytes } = detachedRecord(attached, term.ttl, wallClock());
    const write = put(key, encodeEntry('held', bytes), term.id);
    own.detaching = { ...own.placed, record, term };
    const outcome = await client.transact([modifiedIs(key, modified)], [write]).catch(unlessOver);
    const placed = await settle(client, own); // for the answer may be that to its double
    if (placed.term === term) return new EtcdGrant(placed);
    if (outcome !== undefined) throw own.lost;
    // It was over before it was of use: this process stood still.
  }
}

/** Where it stands: a detach that nobody answered may have been done. */
async function settle(client: Client, own: EtcdGrant): Promise<Placed> {
  const { detaching: longer, placed } = own;
  if (longer === undefined) return placed;
  const stands = (await client.transact([], [get(longer.key)])).found[0]?.[0];
  const ours = stands?.lease === longer.term.id && !isBroken(stands);
  if (ours) own.placed = { ...longer, modified: stands.modified };
  own.detaching = undefined;
  void client.drop((ours ? placed : longer).term.id);
  return own.placed;
}

/** A detached lease that was granted elsewhere. */
export async function adopt(ground: Ground, which: Adoptable): Promise<EtcdGrant> {
  const { name, token } = which;
  const none = new LockError('ERR_LOCK_NOT_FOUND', `nobody holds ${name}`);
  const since = now();
  const { head } = await ground.look(name);
  if (head === undefined) throw none;
  const { word, parsed } = await ground.entry(head);
  if (word === 'waiting' || isBroken(head)) throw none;
  const left = await ground.client.timeLeft(head.lease);
  if (left === undefined) throw none;
  const { leftMs, grantedMs: ttl } = left;
  const term = { id: head.lease, ttl, since: since - (ttl - leftMs) };
  const record = { ...adoptable(parsed, which), ttl, expires: Date.now() + leftMs };
  return new EtcdGrant({ ...head, token, record, term });
}
