/** The watch on a record: no end of it may fall between two looks, and what a dead holder left is compared. */
import { countTransactions } from './helpers/interleave.js'; // before the library
import './helpers/unwatched.js'; // likewise

import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

import { Bell } from '../lib/bell.js';
import type { AcquireOptions } from '../lib/index.js';
import { verdict } from '../lib/staleness.js';
import { FileGrant } from '../lib/store/file-grant.js';
import { FileStore } from '../lib/store/file-store.js';
import { Place, type View } from '../lib/store/place.js';
import { Sightings } from '../lib/store/sightings.js';
import { Vigil } from '../lib/store/vigil.js';
import type { Attempt } from '../lib/store/store.js';
import { detached, someRecord } from './helpers/records.js';
import { someLeases, until } from './helpers/some-leases.js';

/** Longer than any test waits. */
const farOff = 1_000_000;

/** Nothing but a ring ends its wait. */
class PatientBell extends Bell {
  override wait(): Promise<void> {
    return super.wait(farOff);
  }
}

function heldElsewhere(place: Place): View {
  const record = { state: 'valid', record: detached(someRecord) } as const;
  const now = place.now();
  const found = { record: Buffer.from('x'), freeze: null, alive: false, note: '' };
  const judgement = verdict({ name: place.name, record, liveness: 'none', freeze: null }, now);
  return { found, judgement: { ...judgement, state: 'held', lookAgainMs: farOff }, now };
}

await t.test('what ends before anybody watches is not slept through', async (t) => {
  const folder = t.testdir({ 'a.lock': 'x', 'b.lock': 'x' });
  const files = { base: join(folder, 'a'), mode: 0o600, allowNetwork: false };
  const place = new Place('a', files, undefined, new Sightings());
  const bell = new Bell();
  const vigil = new Vigil(place, bell);
  const { signal } = new AbortController();
  // It was seen before the watch began, so it has to be looked at once more: at once.
  await vigil.sleep(heldElsewhere(place), signal);
  let woke = false;
  const sleep = vigil.sleep(heldElsewhere(place), signal).then(() => {
    woke = true;
  });
  writeFileSync(join(folder, 'c.lock'), '');
  rmSync(join(folder, 'b.lock'));
  await new Promise((resolve) => setImmediate(resolve));
  t.notOk(woke, 'what other names do is none of its business');
  rmSync(join(folder, 'a.lock'));
  await sleep;
  vigil.end();
});

await t.test('what a holder leaves behind is presumed, and compared', async (t) => {
  const dir = t.testdir();
  const store = new FileStore({ dir });
  const files = { base: join(dir, 'a'), mode: 0o600, allowNetwork: false };
  const place = new Place('a', files, undefined, new Sightings());
  const by = {
    owner: 'test',
    pid: process.pid,
    startedAt: undefined,
    host: 'here',
    command: 'test',
  };
  let attempts = 0;
  const attempt = (): Attempt => {
    const id = String(++attempts).padStart(32, '0');
    return { id, name: 'a', ttl: null, detached: false, durable: false, by };
  };
  const granted = async (presumed?: View): Promise<FileGrant> => {
    const outcome = await place.attempt(attempt(), undefined, presumed);
    if (!(outcome instanceof FileGrant)) throw new Error('it was not granted');
    return outcome;
  };
  /** How it was seen, while it was held; and is left after this end, which a vigil waited for. */
  const afterEnd = async (end: () => unknown): Promise<View | undefined> => {
    const seen = await place.attempt(attempt());
    if (seen instanceof FileGrant) throw new Error('nobody held it');
    const bell = new PatientBell();
    const vigil = new Vigil(place, bell);
    t.equal(vigil.leftBehind(seen), undefined, 'it lives');
    const slept = vigil.sleep(seen, new AbortController().signal);
    await new Promise((resolve) => setImmediate(resolve)); // it waits in the kernel by then
    await end();
    await slept;
    const left = vigil.leftBehind(seen);
    t.equal(vigil.leftBehind(seen), undefined, 'no other end was heard');
    vigil.end();
    return left;
  };
  const first = await granted();
  t.equal(await afterEnd(() => store.release(first)), undefined, 'it was given back');
  const second = await granted();
  const dead = await afterEnd(() => second.close());
  t.match(dead, { judgement: { state: 'dead', record: { id: second.id } } });
  await store.freeze('a', 60_000, by);
  const frozen = await place.attempt(attempt(), undefined, dead);
  t.match(frozen, { judgement: { state: 'frozen' } }, 'it was frozen since');
  await store.unfreeze('a');
  const transactions = countTransactions(t);
  const third = await granted(dead);
  t.equal(transactions(), 1, 'it is taken at once');
  t.match(third.previous, { token: second.token, end: 'crashed' });
  const late = await place.attempt(attempt(), undefined, dead);
  t.match(late, { judgement: { state: 'held', record: { id: third.id } } }, 'it was taken since');
  t.equal(await store.release(third), true);
  const fourth = await granted(dead);
  t.match(fourth.previous, { token: third.token, end: 'released' }, 'it was given back since');
  t.equal(await store.release(fourth), true);
});

/** Nothing but a tick ends its wait. */
class TickedBell extends Bell {
  waits = 0;
  tick = (): void => undefined;
  override wait(): Promise<void> {
    this.waits++;
    return new Promise((resolve) => (this.tick = resolve));
  }
}

await t.test('who holds for good is glanced at, until that changes', async (t) => {
  const leases = someLeases(t);
  const files = { base: join(leases.location, 'name'), mode: 0o600, allowNetwork: false };
  // The victim of a break keeps its lock here, so no end of it is heard.
  const taken = async (options?: AcquireOptions): Promise<unknown> => {
    await leases.break('name', { force: true });
    return leases.acquire('name', options);
  };
  const changes = {
    'a freeze': () => leases.freeze('name', { ttl: '1h' }),
    'a forced break': () => leases.break('name', { force: true }),
    'another holder': () => taken(),
    'another, with a TTL': () => taken({ ttl: '1h' }),
    'a detached one': () => taken({ ttl: '1h', detached: true }),
  };
  for (const [what, change] of Object.entries(changes)) {
    await leases.acquire('name');
    const place = new Place('name', files, undefined, new Sightings());
    const bell = new TickedBell();
    const vigil = new Vigil(place, bell);
    const seen = await place.look();
    const transactions = countTransactions(t);
    let awake = false;
    void vigil.sleep(seen, new AbortController().signal).then(() => (awake = true));
    for (let i = 1; i <= 10; i++) {
      await until(() => bell.waits === i, `wait ${i}`);
      bell.tick();
    }
    await until(() => bell.waits === 11, 'the last wait');
    t.equal(transactions(), 1, `${what}: the look that opened the record, and no other`);
    await change();
    bell.tick();
    await until(() => awake || bell.waits > 11, 'what comes of it');
    t.ok(awake, `${what}: it is seen at the next glance`);
    vigil.end();
    await leases.unfreeze('name');
    await leases.break('name', { force: true });
  }
});
