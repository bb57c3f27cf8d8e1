/** Readings of the clocks, and what a time namespace adds to them. */
import * as fs from 'node:fs';
import t, { type Test } from 'tap';

import { Leases } from '../lib/index.js';
import * as native from '../lib/native.js';
import * as grants from '../lib/store/file-grant.js';

const { addon } = native;

type NowModule = typeof import('../lib/now.js');
type PlaceModule = typeof import('../lib/store/place.js');
type LeasesModule = typeof import('../lib/leases.js');
type StoreModule = typeof import('../lib/store/file-store.js');

interface Proc {
  /** Of /proc/self/timens_offsets; null: it cannot be read. */
  offsets: string | null;
  ours?: string;
  children?: string;
}

/** node:fs of a process in such a namespace. */
function proc({ offsets, ours = 'time:[1]', children = 'time:[1]' }: Proc): object {
  const readFileSync = (path: string, encoding: BufferEncoding): string => {
    if (path !== '/proc/self/timens_offsets') return fs.readFileSync(path, encoding);
    if (offsets === null) throw new Error('EACCES');
    return offsets;
  };
  const readlinkSync = (path: string): string => {
    if (path === '/proc/self/ns/time') return ours;
    return path === '/proc/self/ns/time_for_children' ? children : fs.readlinkSync(path);
  };
  return { 'node:fs': { ...fs, readFileSync, readlinkSync } };
}

async function clocksIn(t: Test, where: Proc): Promise<ReturnType<NowModule['readClocks']>> {
  const { readClocks } = await t.mockImport<NowModule>('../lib/now.js', proc(where));
  return readClocks(undefined);
}

async function leasesIn(t: Test, where: Proc, dir: string): Promise<Leases> {
  const now = await t.mockImport<NowModule>('../lib/now.js', proc(where));
  const { FileStore } = await storeBy(t, now);
  return new Leases({ store: new FileStore({ dir }) });
}

/** The file store, with these clocks. */
async function storeBy(t: Test, now: NowModule): Promise<StoreModule> {
  const shared = { '../lib/store/file-grant.js': grants }; // a class that both know each other's by
  const place = await t.mockImport<PlaceModule>('../lib/store/place.js', {
    '../lib/now.js': now,
    ...shared,
  });
  return t.mockImport<StoreModule>('../lib/store/file-store.js', {
    '../lib/store/place.js': place,
    ...shared,
  });
}

const skip = process.platform !== 'linux' && 'time namespaces are those of Linux';

await t.test('the offsets of the namespace are taken off', { skip }, async (t) => {
  for (const [offsets, monotonic, boottime] of [
    ['monotonic           0         0\nboottime            0         0\n', 0, 0],
    ['monotonic        5000         0\nboottime        90000         0\n', 5e6, 9e7],
    ['monotonic          -5 250000000\nboottime           -1         1\n', -4750, -999.999999],
    ['1 7 0\n7 3 500000000\n', 7000, 3500],
  ] as const) {
    const [monotonicMs, boottimeMs] = addon.bootClock();
    const now = await clocksIn(t, { offsets });
    const nearly = (one: number, other: number): boolean => Math.abs(one - other) < 60_000;
    t.ok(nearly(now.monotonicMs + monotonic, monotonicMs), offsets);
    t.ok(nearly(now.boottimeMs + boottime, boottimeMs));
    t.equal(now.timeNamespace, 'host');
  }
});

await t.test('without offsets a reading means something only in its namespace', async (t) => {
  const { timeNamespace } = addon.bootIdentity();
  for (const where of [
    { offsets: null },
    { offsets: '' },
    { offsets: 'monotonic 1 2\n' },
    { offsets: 'monotonic one 0\nboottime two 0\n' },
    { offsets: 'monotonic 0 0\nboottime 0 0\n', children: 'time:[2]' },
  ]) {
    const now = await clocksIn(t, where);
    t.equal(now.timeNamespace, timeNamespace === '' ? null : timeNamespace, JSON.stringify(where));
  }
});

await t.test(
  "a lease of another namespace is judged by one's own watching",
  { skip },
  async (t) => {
    const dir = t.testdir();
    const zero = 'monotonic 0 0\nboottime 0 0\n';
    const host = await leasesIn(t, { offsets: zero }, dir);
    const stranger = await leasesIn(t, { offsets: null }, dir);
    for (const [holder, other] of [
      [host, stranger],
      [stranger, host],
    ] as const) {
      for (const detached of [true, false]) {
        const lease = await holder.acquire('build', { ttl: '1h', detached });
        t.match(await holder.inspect('build'), { state: 'held', judge: 'boot' });
        const first = await other.inspect('build');
        t.match(first, { state: 'held', judge: 'observed' });
        t.ok(Math.abs((first?.leftMs ?? 0) - 3_600_000) < 1, 'a full TTL from the first sight');
        const later = await other.inspect('build');
        t.ok((later?.leftMs ?? 0) < (first?.leftMs ?? 0), 'and it goes on from there');
        await lease.release();
      }
    }
  },
);

await t.test('what the host has slept counts for a detached lease, and for no other', async (t) => {
  let slept = 0;
  const bootClock = (): [number, number] => {
    const [monotonicMs, boottimeMs] = addon.bootClock();
    return [monotonicMs, boottimeMs + slept];
  };
  const now = await t.mockImport<NowModule>('../lib/now.js', {
    '../lib/native.js': { ...native, addon: { ...addon, bootClock } },
  });
  const { Leases: Sleepers } = await t.mockImport<LeasesModule>('../lib/leases.js', {
    '../lib/now.js': now,
    '../lib/store/file-store.js': await storeBy(t, now),
  });
  const leases = new Sleepers({ dir: t.testdir() });
  const attached = await leases.acquire('attached', { ttl: '10m', renew: false });
  const detached = await leases.acquire('detached', { ttl: '10m', detached: true });
  detached.assertHeld();
  slept = 11 * 60_000;
  attached.assertHeld();
  t.match(await leases.inspect('attached'), { state: 'held' });
  t.match(await leases.inspect('detached'), { state: 'expired' });
  t.throws(
    () => {
      detached.assertHeld();
    },
    { code: 'ERR_LOCK_LOST' },
  );
  const adopted = await leases.adopt('detached', detached);
  t.throws(
    () => {
      adopted.assertHeld();
    },
    { code: 'ERR_LOCK_LOST' },
  );
  await adopted.renew();
  adopted.assertHeld();
  await detached.renew();
  detached.assertHeld();
  await attached.detach();
  slept += 11 * 60_000;
  t.throws(
    () => {
      attached.assertHeld();
    },
    { code: 'ERR_LOCK_LOST' },
  );
});
