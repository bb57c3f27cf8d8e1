/** What the holder of a lease does with it. */
import { randomUUID } from 'node:crypto';

import { isLoss, LockError } from '../../errors.js';
import { wallClock } from '../../now.js';
import { adoptable, detachedRecord, type Adoptable } from '../grant.js';
import { get, modifiedIs, now, put, remove, unlessOver } from './client.js';
import { EtcdGrant, encodeEntry, isBroken } from './entry.js';
import type { Ground } from './ground.js';

/** Another TTL from now on, in milliseconds. */
export async function renew({ client, transport }: Ground, own: EtcdGrant): Promise<number> {
  const { key, term } = own.placed;
  const timeout = Math.min(transport.timeout, term.ttl / 2);
  for (;;) {
    const { ttl, raftTerm } = await client.keepAlive(term.id, { timeout });
    const read = await client.transact([], [get(key)], [], { timeout });
    const stands = read.found[0]?.[0];
    if (ttl === 0 || stands?.lease !== term.id || isBroken(stands)) throw own.lost;
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
  const { key, modified, term } = own.placed;
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
export async function detach(ground: Ground, own: EtcdGrant, ttl: number): Promise<EtcdGrant> {
  const { client } = ground;
  const { key, term } = own.placed;
  const longer = await client.grant(ttl);
  try {
    const { record, bytes } = detachedRecord(own.placed.record, longer.ttl, wallClock());
    const move = put(key, encodeEntry('held', bytes), longer.id);
    for (;;) {
      const stands = (await client.transact([], [get(key)])).found[0]?.[0];
      const moved = stands?.lease === longer.id;
      if (stands === undefined || isBroken(stands) || (stands.lease !== term.id && !moved)) {
        throw own.lost;
      }
      if (moved) {
        await client.drop(term.id);
        return new EtcdGrant({ ...own.placed, record, modified: stands.modified, term: longer });
      }
      const unchanged = modifiedIs(key, stands.modified);
      const done = await client.transact([unchanged], [move]).catch(unlessOver);
      if (done === undefined) return await detach(ground, own, ttl); // this process stood still
    }
  } catch (error) {
    // Without an answer the key may live by it already.
    if (isLoss(error)) await client.drop(longer.id);
    throw error;
  }
}

/** A detached lease that was granted elsewhere. */
export async function adopt(ground: Ground, which: Adoptable): Promise<EtcdGrant> {
  const { name, token } = which;
  const none = new LockError('ERR_LOCK_NOT_FOUND', `nobody holds ${name}`);
  const since = now();
  const { head } = await ground.look(name);
  if (head === undefined) throw none;
  const { word, parsed } = await ground.entry(head);
  if (word === 'waiting') throw none;
  const record = adoptable(parsed, which);
  const left = await ground.client.timeLeft(head.lease);
  if (left === undefined) throw none;
  const { leftMs, grantedMs: ttl } = left;
  const term = { id: head.lease, ttl, since: since - (ttl - leftMs) };
  const lives = { ...record, ttl, expires: Date.now() + leftMs };
  return new EtcdGrant({ ...head, token, record: lives, term });
}
