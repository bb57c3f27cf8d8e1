/**
 * The compare-and-swap under the guard: what each change does, and that of two that meet one is
 * answered "conflict".
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import t from 'tap';
import { crc32 } from 'node:zlib';

import { addon, returnHandle } from '../lib/native.js';
import { transact, transactNow, type Result } from '../lib/transaction.js';
import { noBoot, writeCounter } from './helpers/guard-file.js';
import { blankRecord, Holder, leaseFiles } from './helpers/leases.js';
import { openOn, resources } from './helpers/kernel.js';

const token = (result: Result): bigint => (result.done ? (result.grant?.token ?? 0n) : 0n);

await t.test('a grant: the record is stamped, locked, private, and found by others', async (t) => {
  const files = leaseFiles(t);
  const [first, second] = [new Holder(files), new Holder(files)];
  const before = BigInt(Date.now()) * 1000n;
  const granted = (await first.take('a')) ?? 0n;
  t.ok(granted > before, 'born with the wall clock in microseconds');
  t.ok(granted < 2n ** 53n);
  const bytes = readFileSync(`${files.base}.lock`);
  t.strictSame(bytes, first.record);
  t.equal(bytes.toString('latin1', 40, 60), granted.toString().padStart(20, '0'));
  const zeroed = Buffer.from(bytes);
  zeroed.write('00000000', 21, 'latin1');
  t.equal(bytes.toString('latin1', 21, 29), crc32(zeroed).toString(16).padStart(8, '0'));
  t.equal(statSync(`${files.base}.lock`).mode & 0o777, 0o600);
  t.equal(statSync(`${files.base}.guard`).mode & 0o777, 0o600);

  const refused = await second.run(
    { record: 'absent', freeze: null },
    { kind: 'grant', record: blankRecord('b'), attach: true, durable: false },
  );
  t.match(refused, { done: false, found: { alive: true, freeze: null, note: '-' } });
  t.strictSame(refused.found.record, bytes);

  t.equal(await first.drop(), true);
  addon.release(first.handle);
  t.notOk(existsSync(`${files.base}.lock`));
  t.ok(((await second.take('b')) ?? 0n) > granted);
});

await t.test(
  'two breakers of one stale record: one is granted, the other in conflict',
  async (t) => {
    const files = leaseFiles(t);
    const dead = new Holder(files);
    await dead.take('a');
    addon.release(dead.handle); // as the kernel does when its process dies
    const breakers = [new Holder(files), new Holder(files)];
    const seen = await Promise.all(breakers.map((breaker) => breaker.look()));
    t.strictSame(
      seen.map(({ found }) => found.alive),
      [false, false],
    );
    const results: Result[] = [];
    for (const [i, breaker] of breakers.entries()) {
      results.push(
        await breaker.run(
          { record: seen[i]?.found.record ?? 'absent', dead: true, freeze: null },
          { kind: 'grant', record: blankRecord('bc'[i] ?? ''), attach: true, durable: false },
        ),
      );
    }
    t.strictSame(
      results.map(({ done }) => done),
      [true, false],
    );
    t.ok(results[0] && token(results[0]) > BigInt(dead.record.toString('latin1', 40, 60)));
    t.strictSame(readFileSync(`${files.base}.lock`), breakers[0]?.record);
  },
);

await t.test('a live holder is not taken for dead', async (t) => {
  const files = leaseFiles(t);
  const [holder, other] = [new Holder(files), new Holder(files)];
  await holder.take('a');
  const grant = { kind: 'grant', record: blankRecord('b'), attach: true, durable: false } as const;
  t.equal((await other.run({ record: holder.record, dead: true }, grant)).done, false);
  t.equal((await other.run({ record: holder.record }, grant)).done, true, 'a forced break');
  const named = addon.stillNamed(holder.handle, `${files.base}.lock`);
  t.equal(named, false, 'the victim finds another inode');
});

await t.test('renewal: in place, and refused after a break', async (t) => {
  const files = leaseFiles(t);
  const [holder, breaker] = [new Holder(files), new Holder(files)];
  await holder.take('a');
  const inode = statSync(`${files.base}.lock`).ino;
  const renewed = Buffer.from(holder.record);
  renewed.write('1234', renewed.indexOf('"expires":') + 10, 'latin1');
  const own = { record: { own: holder.record } };
  t.equal((await holder.run(own, { kind: 'renew', record: renewed })).done, true);
  const now = readFileSync(`${files.base}.lock`);
  t.equal(statSync(`${files.base}.lock`).ino, inode);
  t.match(now.toString(), '"expires":1234 ');
  t.not(now.toString('latin1', 21, 29), holder.record.toString('latin1', 21, 29), 'checksummed');

  const longer = Buffer.concat([renewed, Buffer.from(' ')]);
  t.equal((await holder.run(own, { kind: 'renew', record: longer })).done, false, 'same length');
  t.equal((await breaker.run(own, { kind: 'renew', record: renewed })).done, false, 'not its own');

  await breaker.run(
    { record: now },
    { kind: 'grant', record: blankRecord('b'), attach: true, durable: false },
  );
  t.equal((await holder.run(own, { kind: 'renew', record: renewed })).done, false);
  t.equal(await holder.drop(), false, 'a late release');
  t.strictSame(readFileSync(`${files.base}.lock`), breaker.record, 'leaves the successor alone');
});

await t.test('replace: another file; an attached lease is detached by it', async (t) => {
  const files = leaseFiles(t);
  const [holder, other] = [new Holder(files), new Holder(files)];
  await holder.take('a');
  const inode = statSync(`${files.base}.lock`).ino;
  const own = { record: { own: holder.record } };
  const change = { kind: 'replace', record: holder.record, durable: true } as const;
  t.equal((await holder.run(own, change)).done, true);
  t.not(statSync(`${files.base}.lock`).ino, inode);
  t.equal((await other.look()).found.alive, false, 'nobody holds its inode');
  t.equal((await holder.run(own, change)).done, true, 'again, as a renewal');
  t.strictSame(readdirSync(dirname(files.base)).sort(), ['build.guard', 'build.lock']);
});

await t.test('freeze: part of what is expected', async (t) => {
  const files = leaseFiles(t);
  const [holder, other] = [new Holder(files), new Holder(files)];
  const bytes = Buffer.from('{"frozen":true}\n');
  await other.run({ record: 'anything' }, { kind: 'freeze', bytes, durable: true });
  t.equal(await holder.take('a'), undefined, 'nobody slips in');
  t.strictSame((await holder.look()).found.freeze, bytes);
  const record = blankRecord('a');
  const grant = { kind: 'grant', record, attach: true, durable: false } as const;
  t.equal((await holder.run({ record: 'absent', freeze: bytes }, grant)).done, true);
  const own = { record: { own: holder.record } };
  t.strictSame((await holder.run(own, { kind: 'look' })).found.freeze, bytes, 'a look at all');
  await holder.run(own, { kind: 'unfreeze', durable: true });
  t.notOk(existsSync(`${files.base}.freeze`), 'whoever asks, and whatever they expect');
  await other.run({ record: 'anything' }, { kind: 'freeze', bytes, durable: true });
  t.equal(await holder.drop(), true, 'a release ignores it');
  addon.release(holder.handle);
  await other.run({ record: 'anything', freeze: bytes }, { kind: 'unfreeze', durable: true });
  t.notOk(existsSync(`${files.base}.freeze`));
  t.ok(await holder.take('a'));
});

await t.test('the note of the last end is there until the next grant', async (t) => {
  const files = leaseFiles(t);
  const [holder, other] = [new Holder(files), new Holder(files)];
  await holder.take('a');
  const note = '{"outcome":"broken","by":"Ünal"}';
  await holder.drop(note);
  addon.release(holder.handle);
  t.equal((await other.look()).found.note, note);
  const record = blankRecord('b');
  const grant = { kind: 'grant', record, attach: true, durable: false } as const;
  t.equal((await other.run({ record: 'absent' }, grant)).found.note, note, 'told with the grant');
  t.equal((await other.look()).found.note, '-', 'which takes its place');
  await other.drop('');
  t.equal((await other.look()).found.note, '');
  addon.release(other.handle);
  await holder.take('a');
  const long = 'x'.repeat(1000);
  await holder.drop(long);
  t.equal((await other.look()).found.note, long.slice(0, 415), 'no longer than its place');
  t.equal(statSync(`${files.base}.guard`).size, 512);
});

await t.test('tokens rise: over many grants, a deleted folder, a damaged guard', async (t) => {
  const files = leaseFiles(t);
  const holder = new Holder(files);
  let last = 0n;
  const takeAndDrop = async (): Promise<void> => {
    const granted = (await holder.take('a')) ?? 0n;
    t.ok(granted > last, `${granted} > ${last}`);
    last = granted;
    await holder.drop();
    addon.release(holder.handle);
  };
  for (let i = 0; i < 200; i++) await takeAndDrop();
  const ruin: Record<string, () => void> = {
    'the folder is deleted': () => {
      rmSync(dirname(files.base), { recursive: true });
    },
    'the guard is deleted': () => {
      rmSync(`${files.base}.guard`);
    },
    'the guard is empty': () => {
      truncateSync(`${files.base}.guard`, 0);
    },
    'the guard is nonsense': () => {
      writeFileSync(`${files.base}.guard`, 'x'.repeat(600));
    },
    'the guard is cut off': () => {
      truncateSync(`${files.base}.guard`, 20);
    },
  };
  for (const [name, act] of Object.entries(ruin)) {
    act();
    t.comment(name);
    await takeAndDrop();
  }
});

function withToken(record: Buffer, token: bigint): Buffer {
  const other = Buffer.from(record);
  other.write(String(token).padStart(20, '0'), 40, 'latin1');
  other.write('00000000', 21, 'latin1');
  other.write(crc32(other).toString(16).padStart(8, '0'), 21, 'latin1');
  return other;
}

await t.test('a token after which there is none: an error, and not 0', async (t) => {
  const files = leaseFiles(t);
  const [holder, next] = [new Holder(files), new Holder(files)];
  await holder.take('a');
  const before = holder.record;
  addon.release(holder.handle);
  const last = withToken(before, 2n ** 64n - 1n);
  writeFileSync(`${files.base}.lock`, last);
  const grant = { kind: 'grant', record: blankRecord('b'), attach: true, durable: false } as const;
  await t.rejects(next.run({ record: last, dead: true }, grant), {
    code: 'ERR_LOCK_SYSTEM',
    cause: { code: 'EOVERFLOW', syscall: 'token' },
  });
  t.strictSame(readFileSync(`${files.base}.lock`), last, 'nothing is changed');
  await next.run({ record: last, dead: true }, { kind: 'remove', note: '', durable: false });
  t.ok(
    token(await next.run({ record: 'absent' }, grant)) > BigInt(before.toString('latin1', 40, 60)),
  );
});

await t.test('a new guard starts above the record that it finds', async (t) => {
  const files = leaseFiles(t);
  const [holder, next] = [new Holder(files), new Holder(files)];
  // As if the clock had been a year ahead when the record was made, and the guard was lost.
  await holder.take('a');
  addon.release(holder.handle);
  const future = withToken(holder.record, BigInt(Date.now() + 365 * 86_400_000) * 1000n);
  writeFileSync(`${files.base}.lock`, future);
  rmSync(`${files.base}.guard`);
  const record = blankRecord('b');
  const grant = { kind: 'grant', record, attach: true, durable: false } as const;
  const result = await next.run({ record: future, dead: true }, grant);
  t.ok(token(result) > BigInt(future.toString('latin1', 40, 60)));
});

await t.test('above the last token there is none, and none is handed out again', async (t) => {
  const files = leaseFiles(t);
  const holder = new Holder(files);
  const first = (await holder.take('a')) ?? 0n;
  await holder.drop();
  addon.release(holder.handle);
  // A guard with a right checksum, as an outsider may write it.
  const shows = (ceiling: bigint): void => {
    writeCounter(`${files.base}.guard`, { ceiling, base: 0n, boot: noBoot });
  };
  shows(18446744073709551615n);
  const outcome: unknown = await holder.take('b').catch((error: unknown) => error);
  t.match(outcome, { code: 'ERR_LOCK_SYSTEM', cause: { code: 'EOVERFLOW' } });
  t.equal(existsSync(`${files.base}.lock`), false);
  shows(77777777777777777777n); // no number of 64 bits: damaged, so it is born again
  const next = (await holder.take('c')) ?? 0n;
  t.ok(next > first && next < 77777777777777777777n % 2n ** 64n, `${next} > ${first}`);
});

await t.test('a guard that stays locked: busy, nothing changed, and then it works', async (t) => {
  const files = leaseFiles(t);
  const holder = new Holder(files);
  await holder.take('a');
  const blocker = spawn('flock', [`${files.base}.guard`, 'cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  blocker.stdin.write('locked\n');
  await once(blocker.stdout, 'data');
  const before = readFileSync(`${files.base}.lock`);
  const own = { record: { own: holder.record } };
  const remove = { kind: 'remove', note: '', durable: false } as const;
  t.equal(transactNow(files, own, remove, holder.handle), undefined);
  await t.rejects(transact(files, own, remove, holder.handle, { patience: 50 }), {
    code: 'ERR_LOCK_BUSY',
    path: `${files.base}.guard`,
  });
  t.strictSame(readFileSync(`${files.base}.lock`), before);
  const patient = transact(files, own, remove, holder.handle);
  blocker.stdin.end();
  t.equal((await patient).done, true);
});

await t.test('a wait for the end of a holder', async (t) => {
  const files = leaseFiles(t);
  const [holder, waiter] = [new Holder(files), new Holder(files)];
  await holder.take('a');
  await waiter.run({ record: 'anything' }, { kind: 'look', open: true });
  let woken = false;
  const ended = new Promise<void>((resolve) => {
    t.equal(
      addon.startRecordWait(waiter.handle, () => {
        woken = true;
        resolve();
      }),
      undefined,
    );
  });
  for (let i = 0; i < 20; i++) await new Promise(setImmediate);
  t.equal(woken, false);
  await holder.drop();
  addon.release(holder.handle);
  await ended;
  t.equal(addon.collect(waiter.handle), 0);
  returnHandle(waiter.handle);
});

await t.test('a record that a look opened: closed by whatever comes next', async (t) => {
  const files = leaseFiles(t);
  const [holder, other] = [new Holder(files), new Holder(files)];
  await holder.take('a');
  const opened = (): number => openOn(`${files.base}.lock`);
  const open = { kind: 'look', open: true } as const;
  for (const close of ['release', 'discard'] as const) {
    await other.run({ record: 'anything' }, open);
    t.equal(opened(), 2);
    addon[close](other.handle);
    t.equal(opened(), 1, close);
    addon[close](other.handle);
  }
  const record = blankRecord('b');
  const grant = { kind: 'grant', record, attach: true, durable: false } as const;
  t.equal((await other.run({ record: 'absent' }, grant)).done, false);
  t.equal(opened(), 2, 'a conflict opens it as well');
  await other.run({ record: 'anything' }, open);
  t.equal(opened(), 2, 'another look');
  t.equal((await other.run({ record: holder.record }, grant)).done, true);
  t.equal(opened(), 2, 'a grant: its own');
  t.equal((await holder.look()).found.alive, true);
  await other.drop();
  addon.release(other.handle);
  addon.release(holder.handle);
  t.equal(opened(), 0);

  await holder.take('a', { attach: false });
  await other.run({ record: 'anything' }, open);
  const bytes = Buffer.from('{}\n');
  await other.run({ record: 'anything' }, { kind: 'freeze', bytes, durable: true });
  t.equal(opened(), 1, 'a change on a thread');
  addon.release(other.handle);
  t.equal(opened(), 0);
});

await t.test('what may stand there instead: typed errors, no descriptor left', async (t) => {
  const descriptors = resources().descriptors;
  for (const suffix of ['.guard', '.lock', '.freeze']) {
    const files = leaseFiles(t, `traps${suffix}`);
    const path = files.base + suffix;
    const holder = new Holder(files);
    mkdirSync(path);
    await t.rejects(
      holder.take('a'),
      { code: 'ERR_LOCK_NOT_REGULAR', path },
      `${suffix}: a directory`,
    );
    rmSync(path, { recursive: true });
    symlinkSync('nowhere', path);
    await t.rejects(holder.take('a'), { code: 'ERR_LOCK_NOT_REGULAR', path }, `${suffix}: a link`);
    rmSync(path);
    t.ok(await holder.take('a'), 'then it works');
    addon.release(holder.handle);
    rmSync(dirname(files.base), { recursive: true });
  }
  t.equal(resources().descriptors, descriptors);
});

await t.test('damaged records are shown as they are', async (t) => {
  const files = leaseFiles(t);
  const holder = new Holder(files);
  await holder.take('a');
  addon.release(holder.handle);
  for (const bytes of [Buffer.alloc(0), Buffer.from('INVALID{JSON'), Buffer.alloc(1 << 20, 7)]) {
    writeFileSync(`${files.base}.lock`, bytes);
    const { found } = await holder.look();
    t.strictSame(found.record, bytes.subarray(0, 64 * 1024 + 1));
    t.equal(found.alive, false);
    const record = blankRecord('b');
    const grant = { kind: 'grant', record, attach: true, durable: false } as const;
    const result = await holder.run({ record: found.record ?? 'absent', dead: true }, grant);
    t.equal(result.done, true, 'and can be replaced');
    addon.release(holder.handle);
  }
});

await t.test('a left-over of somebody who died in the midst of it is no obstacle', async (t) => {
  const files = leaseFiles(t);
  const holder = new Holder(files);
  await holder.take('a', { attach: false, durable: true });
  writeFileSync(`${files.base}.new`, 'half a reco');
  chmodSync(`${files.base}.new`, 0o400);
  const own = { record: { own: holder.record } };
  const change = { kind: 'replace', record: holder.record, durable: true } as const;
  t.equal((await holder.run(own, change)).done, true);
  t.notOk(existsSync(`${files.base}.new`));
});

await t.test('tidy: removes a left-over, and says what is there', async (t) => {
  const files = leaseFiles(t);
  const [holder, sweeper] = [new Holder(files), new Holder(files)];
  await holder.take('a');
  const tidy = { kind: 'tidy' } as const;
  const folder = ['build.guard', 'build.lock'];
  for (const left of [true, false]) {
    if (left) writeFileSync(`${files.base}.new`, 'half a reco');
    const result = await sweeper.run({ record: 'anything' }, tidy);
    t.match(result, { done: true, found: { alive: true, freeze: null } });
    t.strictSame(result.found.record, holder.record);
    t.strictSame(readdirSync(dirname(files.base)).sort(), folder);
  }
  writeFileSync(`${files.base}.new`, 'half a reco');
  t.equal((await sweeper.run({ record: 'absent' }, tidy)).done, false, 'a conflict');
  t.ok(existsSync(`${files.base}.new`), 'changes nothing');
  rmSync(`${files.base}.new`);
  mkdirSync(`${files.base}.new`);
  await t.rejects(sweeper.run({ record: 'anything' }, tidy), {
    code: 'ERR_LOCK_NOT_REGULAR',
    path: `${files.base}.new`,
  });
});
