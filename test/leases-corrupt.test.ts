/**
 * Records that are damaged, or no records at all (scenario D6): what every operation answers. The
 * table is also in the documentation; nothing throws what has no type.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

import { encodeRecord } from '../lib/record.js';
import { stamp } from '../lib/envelope.js';
import { ask, inProcess, type Answers } from './helpers/lease-answers.js';
import { someRecord } from './helpers/records.js';
import { isFree, mustTake, rejection, someLeases } from './helpers/some-leases.js';

const whole = encodeRecord({ ...someRecord, name: 'build' });

/** What is put at the path of the record. */
const damages: Record<string, (path: string) => unknown> = {
  'INVALID{JSON': (path) => {
    writeFileSync(path, 'INVALID{JSON');
  },
  empty: (path) => {
    writeFileSync(path, '');
  },
  truncated: (path) => {
    writeFileSync(path, whole.subarray(0, -20));
  },
  'random bytes': (path) => {
    writeFileSync(path, randomBytes(500));
  },
  'a flipped bit': (path) => {
    const bytes = Buffer.from(whole);
    bytes.writeUInt8(bytes.readUInt8(200) ^ 1, 200);
    writeFileSync(path, bytes);
  },
  'wrong schema': (path) => {
    const text = whole.toString().replace('"kind":"attached"', '"kind":"unheard"');
    writeFileSync(path, stamp(Buffer.from(text)));
  },
  '1 MiB': (path) => {
    writeFileSync(path, Buffer.alloc(1 << 20, whole));
  },
  'future version': (path) => {
    writeFileSync(path, '{"holdfast":2,"new":"form"}\n');
  },
  'another name’s': (path) => {
    writeFileSync(path, encodeRecord({ ...someRecord, name: 'another' }));
  },
  'a sidecar': (path) => {
    writeFileSync(path, 'holdfast1-R\n{}');
  },
  directory: (path) => {
    mkdirSync(path);
  },
  FIFO: (path) => {
    execFileSync('mkfifo', [path]);
  },
  symlink: (path) => {
    writeFileSync(`${path}.target`, whole);
    symlinkSync(`${path}.target`, path);
  },
};

const recovered: Answers = {
  tryAcquire: 'granted, previous crashed',
  wait: 'granted, previous crashed',
  inspect: 'corrupt',
  list: 'corrupt',
  stale: 'broken',
  force: 'broken',
  sweep: 'removed',
};
/** Somebody may hold it: only force takes it away. */
const held = (how: string): Answers => ({
  tryAcquire: 'null',
  wait: 'ERR_LOCK_TIMEOUT',
  inspect: how,
  list: how,
  stale: 'null',
  force: 'broken',
  sweep: 'left alone',
});
const noFile = 'ERR_LOCK_NOT_REGULAR';
const notRegular: Answers = {
  tryAcquire: noFile,
  wait: noFile,
  inspect: noFile,
  list: 'held (not a regular file)',
  stale: noFile,
  force: noFile,
  sweep: 'left alone',
};
const table: Record<string, Answers> = {
  'INVALID{JSON': recovered,
  empty: recovered,
  truncated: recovered,
  'random bytes': recovered,
  'a flipped bit': recovered,
  'wrong schema': recovered,
  '1 MiB': recovered,
  'future version': held('held (newer version)'),
  'another name’s': held('held (other name)'),
  'a sidecar': {
    ...held('held (sidecar)'),
    list: 'not listed',
    force: 'ERR_LOCK_HELD',
  },
  directory: notRegular,
  FIFO: notRegular,
  symlink: notRegular,
};

for (const [damage, put] of Object.entries(damages)) {
  await t.test(`a record that is damaged: ${damage}`, async (t) => {
    const leases = someLeases(t);
    await isFree(leases);
    const path = join(leases.location, 'build.lock');
    const neighbour = await mustTake(leases, 'neighbour');
    const answers = await ask(inProcess(leases), () => put(path), path);
    t.strictSame(answers, table[damage]);
    if (damage === 'symlink') t.strictSame(readFileSync(`${path}.target`), whole, 'untouched');
    if (answers.force === 'broken') t.ok(await isFree(leases), 'force recovers');
    neighbour.assertHeld();
    t.equal(await neighbour.release(), 'released');
  });
}

await t.test('the record of a holder that lives is held, however it is damaged', async (t) => {
  const leases = someLeases(t);
  const lease = await mustTake(leases, 'build', { ttl: '1m' });
  const path = join(leases.location, 'build.lock');
  const record = readFileSync(path);
  const held = { state: 'held', why: 'holder alive', holder: null };
  const torn = Buffer.from(record).fill('9', 112, 120); // in the midst of a renewal
  const damages = ['', 'INVALID{JSON', record.subarray(0, 130), Buffer.alloc(record.length), torn];
  for (const damage of damages) {
    writeFileSync(path, damage);
    t.match(await leases.inspect('build'), held);
    t.equal(await leases.tryAcquire('build'), null);
    t.equal(await leases.break('build', { stale: true }), null);
    t.strictSame(await leases.sweep(), []);
    lease.assertHeld();
  }
  await lease.renew();
  t.match(await leases.inspect('build'), { ...held, holder: { owner: 'alice' } }, 'mended');
  writeFileSync(path, 'INVALID{JSON');
  t.match(await leases.break('build', { force: true }), { state: 'held', id: null });
  t.equal(await lease.release(), 'lost');
});

await t.test('who does not find token and id in the record gives it up', async (t) => {
  const leases = someLeases(t);
  const path = join(leases.location, 'build.lock');
  for (const damage of ['', 'INVALID{JSON', Buffer.alloc(400)]) {
    const one = await mustTake(leases, 'build', { ttl: '1m' });
    writeFileSync(path, damage);
    await t.rejects(one.renew(), { code: 'ERR_LOCK_LOST' });
    t.ok(one.signal.aborted);
    const two = await mustTake(leases);
    t.match(two.previous, { end: 'crashed', owner: null }, 'nobody is left behind it');
    writeFileSync(path, damage);
    t.equal(await two.release(), 'lost');
    t.ok(await isFree(leases));
  }
});

await t.test('a damaged guard costs no token', async (t) => {
  const leases = someLeases(t);
  const guard = join(leases.location, 'build.guard');
  let last = 0n;
  for (const damage of [undefined, '', 'INVALID', randomBytes(600), Buffer.alloc(1 << 20, '9')]) {
    const before = await mustTake(leases);
    if (damage === undefined) rmSync(guard);
    else writeFileSync(guard, damage);
    await leases.break('build', { force: true });
    const after = await mustTake(leases);
    t.ok(before.token > last && after.token > before.token);
    last = after.token;
    await after.release();
  }
});

await t.test('no guard where one must be', async (t) => {
  const leases = someLeases(t);
  const guard = join(leases.location, 'build.guard');
  for (const damage of ['directory', 'FIFO', 'symlink']) {
    await isFree(leases);
    rmSync(guard, { recursive: true, force: true });
    damages[damage]?.(guard);
    for (const attempt of [
      leases.tryAcquire('build'),
      leases.acquire('build'),
      leases.inspect('build'),
      leases.break('build', { force: true }),
      leases.freeze('build', { ttl: 1 }),
    ]) {
      t.match(await rejection(attempt), { code: 'ERR_LOCK_NOT_REGULAR', path: guard }, damage);
    }
    t.strictSame(await leases.sweep(), []);
    rmSync(guard, { recursive: true });
  }
});

await t.test('a damaged freeze is over; one of a later version is in force', async (t) => {
  const leases = someLeases(t);
  await leases.freeze('build', { ttl: '1m' });
  const freeze = join(leases.location, 'build.freeze');
  const whole = readFileSync(freeze);
  for (const damage of ['', 'INVALID{JSON', whole.subarray(0, -9), Buffer.alloc(1 << 20, whole)]) {
    writeFileSync(freeze, damage);
    t.ok(await isFree(leases));
    t.equal(await leases.unfreeze('build'), false, 'there was none in force');
    t.notOk(existsSync(freeze));
    writeFileSync(freeze, damage);
    await leases.sweep();
    t.notOk(existsSync(freeze), 'swept');
  }
  writeFileSync(freeze, '{"holdfast":2}');
  t.equal(await leases.tryAcquire('build'), null);
  t.match(await leases.inspect('build'), { state: 'frozen', freeze: { owner: null } });
  await leases.sweep();
  t.equal(await leases.unfreeze('build'), true);
  t.ok(await isFree(leases));
  for (const damage of ['directory', 'FIFO', 'symlink']) {
    damages[damage]?.(freeze);
    t.match(await rejection(leases.tryAcquire('build')), { code: 'ERR_LOCK_NOT_REGULAR' }, damage);
    rmSync(freeze, { recursive: true });
  }
});
