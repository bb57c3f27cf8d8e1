/** What the holder of a lease does with it. */
import { isLoss, LockError } from '../../errors.js';
import { encodeRecord, recordHolder, type LeaseRecord } from '../../record.js';
import { get, modifiedIs, now, put } from './client.js';
import { standing } from './describe.js';
import { EtcdGrant, encodeEntry, isBroken, parseEntry } from './entry.js';
import type { Ground } from './ground.js';

/** Another TTL from now on, in milliseconds. */
export async function renew({ client }: Ground, own: EtcdGrant): Promise<number> {
  const timeout = Math.min(client.transport.timeout, own.ttl / 2);
  for (;;) {
    const since = now();
    const { ttl, raftTerm } = await client.keepAlive(own.term.id, { timeout });
    const read = await client.transact([], [get(own.key)], [], { timeout });
    const key = read.found[0]?.[0];
    if (ttl === 0 || key?.lease !== own.term.id || isBroken(key)) throw own.lost;
    // A leader that was cut off renews leases without asking anybody. If there has been another since,
    // this read, which a majority has agreed to, is of a later term.
    if (read.raftTerm !== raftTerm) continue;
    own.renewed = since;
    own.expiresAt = Date.now() + ttl;
    return ttl;
  }
}

/** False: it was not ours any more. */
export async function release({ client }: Ground, own: EtcdGrant): Promise<boolean> {
  const { term, renewed } = own;
  const ended = await client.revoke(term.id);
  // `unknown`: before its time is over nobody but us ends it, except by a break.
  return ended === 'done' || (ended === 'unknown' && now() < renewed + term.ttl);
}

/** The same key, by a lease of etcd that lasts as long as is said. */
export async function detach(ground: Ground, own: EtcdGrant, ttl: number): Promise<EtcdGrant> {
  const { client } = ground;
  const { record, key, token, created, term } = own;
  const longer = await client.grant(ttl);
  try {
    const next: LeaseRecord = { ...record, kind: 'detached', ttl: longer.ttl };
    for (;;) {
      const [stands] = (await client.transact([], [get(key)])).found[0] ?? [];
      const moved = stands?.lease === longer.id;
      if (stands === undefined || isBroken(stands) || (stands.lease !== term.id && !moved)) {
        throw own.lost;
      }
      if (moved) break;
      const move = put(key, encodeEntry('held', encodeRecord(next)), longer.id);
      await client.transact([modifiedIs(key, stands.modified)], [move]);
    }
    await ground.drop(term);
    return new EtcdGrant(next, token, key, created, longer);
  } catch (error) {
    // Without an answer the key may live by it already.
    if (isLoss(error)) await ground.drop(longer);
    throw error;
  }
}

/** A detached lease that was granted elsewhere. */
export async function adopt(
  ground: Ground,
  name: string,
  id: string,
  token: bigint,
): Promise<EtcdGrant> {
  const since = now();
  const { head } = await standing(ground, name);
  const entry = head && parseEntry(head);
  if (head === undefined || entry === undefined || entry.word === 'waiting') {
    throw new LockError('ERR_LOCK_NOT_FOUND', `nobody holds ${name}`);
  }
  if (entry.parsed.state !== 'valid') {
    throw new LockError('ERR_LOCK_CORRUPT', `the record of ${name} cannot be read`);
  }
  const { record } = entry.parsed;
  const stands = await ground.token(head.created);
  const refuse = (why: string): LockError => {
    const holder = recordHolder(record);
    return new LockError('ERR_LOCK_NOT_OWNER', `the lease ${name} ${why}`, { holder });
  };
  if (record.id !== id || stands !== token) {
    throw refuse(`is somebody else's, with token ${stands}`);
  }
  if (record.kind === 'attached') {
    throw refuse('is attached: it lives and ends with its process');
  }
  const left = await ground.client.timeLeft(head.lease);
  if (left === undefined) throw new LockError('ERR_LOCK_NOT_FOUND', `nobody holds ${name}`);
  const { leftMs, grantedMs } = left;
  const term = { id: head.lease, ttl: grantedMs, since: since - (grantedMs - leftMs) };
  return new EtcdGrant(record, stands, head.key, head.created, term);
}
