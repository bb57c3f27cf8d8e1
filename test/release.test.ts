/** A release that fails half-way. */
import { join } from 'node:path';
import t from 'tap';

import { LockError } from '../lib/errors.js';
import { Leases } from '../lib/index.js';
import { FileGrant } from '../lib/store/file-grant.js';
import { release } from '../lib/store/holding.js';
import { Place } from '../lib/store/place.js';
import { Sightings } from '../lib/store/sightings.js';
import type { Result } from '../lib/transaction.js';

/** One whose next transaction is carried out, and then fails: the folder cannot be synced. */
class Unsyncable extends Place {
  fails = false;

  override async swap(...change: Parameters<Place['swap']>): Promise<Result> {
    const result = await super.swap(...change);
    if (!this.fails) return result;
    this.fails = false;
    throw new LockError('ERR_LOCK_SYSTEM', 'EIO: fsync');
  }
}

await t.test('what was removed and not synced is not lost: nobody else had it', async (t) => {
  const files = { base: join(t.testdir(), 'a'), mode: 0o600, allowNetwork: false };
  const place = new Unsyncable('a', files, undefined, new Sightings());
  const by = { owner: 'me', pid: 1, startedAt: 0, host: '', command: '' };
  const attempt = { id: 'a'.repeat(32), name: 'a', ttl: 60_000, detached: true, durable: true, by };
  const grant = await place.attempt(attempt);
  if (!(grant instanceof FileGrant)) throw new Error('it is free');
  place.fails = true;
  await t.rejects(release(place, grant), { code: 'ERR_LOCK_SYSTEM' });
  t.equal((await place.look()).found.record, null);
  t.equal(await release(place, grant), true);
});

await t.test('of one that somebody else has by now it is', async (t) => {
  const leases = new Leases({ dir: t.testdir() });
  const lease = await leases.acquire('a', { detached: true, ttl: '1h' });
  await leases.break('a', { force: true });
  const successor = await leases.acquire('a');
  t.equal(await lease.release(), 'lost');
  t.equal((await leases.inspect('a'))?.id, successor.id);
  await successor.release();
});
