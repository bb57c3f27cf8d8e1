/** A held lock, from the grant to its release, within one process. */
import { readFileSync, renameSync, statSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import {
  heldLocks,
  holderOf,
  lock,
  LockError,
  lockSync,
  tryLock,
  withLock,
  type FileLock,
  type LockOptions,
} from '../lib/index.js';

function mustLock(resource: string, options?: LockOptions): FileLock {
  const held = tryLock(resource, options);
  if (held === null) throw new Error(`${resource} is held`);
  return held;
}

/** Nobody holds it: it can be had. */
function assertFree(t: Test, resource: string, message: string): void {
  const held = tryLock(resource);
  t.ok(held, message);
  held?.release();
}

const lost = { name: 'LockError', code: 'ERR_LOCK_LOST', holder: null };

t.afterEach(() => {
  // What one test forgets must not make the next one fail.
  const forgotten = heldLocks();
  for (const held of forgotten) held.release();
  if (forgotten.length > 0) throw new Error(`still held: ${forgotten[0]?.resourcePath ?? ''}`);
});

await t.test('release can be called again and again', async (t) => {
  const resource = join(t.testdir(), 'data');
  const held = mustLock(resource);
  t.equal(held.held, true);
  t.equal(tryLock(resource), null);
  held.release();
  t.equal(held.held, false);
  const next = mustLock(resource);
  held.release();
  held.release();
  t.equal(next.held, true);
  t.equal(tryLock(resource), null, 'the late release took nothing from the next holder');
  next.assertHeld();
  next.release();
});

await t.test('both dispose symbols release', async (t) => {
  const resource = join(t.testdir(), 'data');
  {
    using held = mustLock(resource);
    t.equal(held.held, true);
    t.equal(tryLock(resource), null);
  }
  assertFree(t, resource, 'using');
  {
    await using held = await lock(resource);
    t.equal(held.held, true);
  }
  assertFree(t, resource, 'await using');
  const held = mustLock(resource);
  const done = held[Symbol.asyncDispose]();
  t.equal(held.held, false, 'at once, not a tick later');
  t.ok(done instanceof Promise);
  await done;
  held[Symbol.dispose]();
});

await t.test('heldLocks lists what is held, and nothing else', async (t) => {
  const folder = t.testdir();
  const files = ['a', 'b', 'c', 'd', 'e'].map((name) => join(folder, name));
  const locks = files.map((file) => mustLock(file));
  const listed = (): string[] => heldLocks().map((held) => held.resourcePath);
  t.strictSame(listed().sort(), files);
  // From the middle, the front and the back: each is a different case for the register.
  for (const index of [1, 0, 4, 2, 3]) {
    locks[index]?.release();
    const rest = locks.filter((held) => held.held);
    t.strictSame(new Set(heldLocks()), new Set(rest), `after release of ${index}`);
    t.equal(heldLocks().length, rest.length);
  }
  const held = mustLock(join(folder, 'a'));
  heldLocks().pop();
  t.strictSame(heldLocks(), [held], 'a copy: changing it changes nothing');
  held.release();
});

await t.test('heldLocks after any number of grants and releases, in any order', async (t) => {
  const resource = join(t.testdir(), 'data');
  const seed = Number(process.env['HOLDFAST_SEED'] ?? Date.now() % 2 ** 31);
  t.comment(`HOLDFAST_SEED=${seed}`);
  let state = seed;
  // A linear congruential generator will do (Numerical Recipes).
  const below = (limit: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  const mine: FileLock[] = [];
  let wrong = 0;
  for (let step = 0; step < 2000; step++) {
    const take = mine.length === 0 || (mine.length < 12 && below(2) === 0);
    if (take) mine.push(mustLock(resource, { shared: true }));
    else mine.splice(below(mine.length), 1)[0]?.release();
    const listed = new Set(heldLocks());
    if (listed.size !== mine.length || !mine.every((held) => listed.has(held))) wrong++;
  }
  t.equal(wrong, 0);
  for (const held of mine) held.release();
});

await t.test('shared locks of one thread stand beside each other', async (t) => {
  const resource = join(t.testdir(), 'data');
  const first = mustLock(resource, { shared: true });
  const second = mustLock(resource, { shared: true });
  t.strictSame([first.shared, second.shared], [true, true]);
  t.equal(heldLocks().length, 2);
  t.equal(tryLock(resource), null);
  first.release();
  t.equal(tryLock(resource), null, 'the other still holds');
  second.assertHeld();
  second.release();
  const exclusive = mustLock(resource);
  t.equal(exclusive.shared, false);
  t.equal(tryLock(resource, { shared: true }), null);
  exclusive.release();
});

await t.test('withLock returns what the function returns', async (t) => {
  const resource = join(t.testdir(), 'data');
  const value = {};
  t.equal(await withLock(resource, () => value), value);
  t.equal(await withLock(resource, () => Promise.resolve(value)), value);
  const held = await withLock(resource, (inside) => {
    t.equal(inside.held, true);
    t.equal(tryLock(resource), null);
    inside.assertHeld();
    return inside;
  });
  t.equal(held.held, false);
  const shared = await withLock(resource, (inside) => inside.shared, { shared: true });
  t.equal(shared, true, 'the options are passed on');
  assertFree(t, resource, 'released after each');
});

await t.test('withLock releases however the function ends', async (t) => {
  const resource = join(t.testdir(), 'data');
  const boom = new Error('boom');
  const bodies: Record<string, (held: FileLock) => unknown> = {
    throws: () => {
      throw boom;
    },
    rejects: () => Promise.reject(boom),
    'rejects later': async () => {
      await new Promise(setImmediate);
      throw boom;
    },
    'releases by itself, then throws': (held) => {
      held.release();
      throw boom;
    },
    'finds its lock gone': (held) => {
      unlinkSync(held.lockPath);
      throw boom;
    },
  };
  for (const [name, body] of Object.entries(bodies)) {
    const error: unknown = await withLock(resource, body).catch((e: unknown) => e);
    t.equal(error, boom, `${name}: the very error`);
    assertFree(t, resource, `${name}: released`);
  }
});

await t.test("the lock is held until the promise of withLock's function settles", async (t) => {
  const resource = join(t.testdir(), 'data');
  let finish = (): void => undefined;
  let begun = (): void => undefined;
  const begins = new Promise<void>((resolve) => (begun = resolve));
  const done = withLock(resource, () => {
    begun();
    return new Promise<void>((resolve) => (finish = resolve));
  });
  await begins;
  t.equal(tryLock(resource), null);
  await new Promise(setImmediate);
  t.equal(tryLock(resource), null);
  finish();
  await done;
  assertFree(t, resource, 'after it');
});

await t.test('after a proper release there is no previous holder', async (t) => {
  const resource = join(t.testdir(), 'data');
  for (const options of [{}, { shared: true }, { sidecar: true }, {}]) {
    const held = mustLock(resource, options);
    t.equal(held.previous, null);
    held.release();
  }
  writeFileSync(resource, '');
  const bare = mustLock(resource, { sidecar: false });
  t.equal(bare.previous, null);
  bare.release();
});

await t.test('assertHeld after the release', async (t) => {
  const resource = join(t.testdir(), 'data');
  const held = mustLock(resource);
  held.assertHeld();
  held.release();
  const gone = { ...lost, message: /was released/, path: `${resource}.lock` };
  t.throws(() => {
    held.assertHeld();
  }, gone);
  const next = mustLock(resource);
  t.throws(
    () => {
      held.assertHeld();
    },
    gone,
    'also when somebody else holds it',
  );
  next.release();
});

await t.test('assertHeld notices a sidecar that was removed or replaced', async (t) => {
  const resource = join(t.testdir(), 'data');
  const sidecar = `${resource}.lock`;
  const outsiders: Record<string, () => void> = {
    removed: () => {
      unlinkSync(sidecar);
    },
    'removed and made anew': () => {
      unlinkSync(sidecar);
      writeFileSync(sidecar, '');
    },
    'replaced by a copy with the same contents': () => {
      writeFileSync(`${sidecar}.copy`, readFileSync(sidecar));
      renameSync(`${sidecar}.copy`, sidecar);
    },
  };
  for (const [name, outsider] of Object.entries(outsiders)) {
    const held = mustLock(resource);
    held.assertHeld();
    outsider();
    t.equal(held.held, true, `${name}: nobody has looked`);
    t.throws(
      () => {
        held.assertHeld();
      },
      { ...lost, path: sidecar },
      name,
    );
    t.equal(held.held, false, `${name}: known now`);
    // It stays lost, whatever is put in its place: somebody may have been in there meanwhile.
    const next = mustLock(resource);
    t.throws(
      () => {
        held.assertHeld();
      },
      lost,
      `${name}: for good`,
    );
    held.release();
    next.assertHeld();
    t.equal(tryLock(resource), null, `${name}: the release took nothing from the next holder`);
    t.match(holderOf(resource), { pid: process.pid }, `${name}: nor its name`);
    next.release();
  }
});

await t.test("writing to the sidecar's times or reading it does not lose the lock", async (t) => {
  const resource = join(t.testdir(), 'data');
  const held = mustLock(resource);
  readFileSync(held.lockPath);
  utimesSync(held.lockPath, 0, 0);
  held.assertHeld();
  held.release();
});

await t.test('holderOf: who it is, while it is held', async (t) => {
  const resource = join(t.testdir(), 'data');
  t.equal(holderOf(resource), null, 'never locked');
  const before = Date.now();
  const held = mustLock(resource, { owner: 'the night job' });
  const holder = holderOf(resource);
  const after = Date.now();
  t.match(holder, { owner: 'the night job', pid: process.pid, host: hostname() });
  t.match(holder?.command, /held\.test/);
  const since = holder?.since.getTime() ?? 0;
  t.ok(since >= before && since <= after, 'since the grant');
  // The system tells the boot time in whole seconds, so this is no more exact than that.
  const started = holder?.startedAt?.getTime() ?? 0;
  const began = Date.now() - process.uptime() * 1000;
  t.ok(Math.abs(started - began) < 10_000, `started ${started}, by the process itself ${began}`);
  t.equal(tryLock(resource), null, 'asking disturbed nobody');
  held.release();
  t.equal(holderOf(resource), null, 'released');
});

await t.test('holderOf finds the sidecar as lock does', async (t) => {
  const folder = t.testdir();
  const resource = join(folder, 'data');
  for (const options of [{ directory: true }, { lockPath: join(folder, 'elsewhere') }]) {
    const held = mustLock(resource, options);
    t.equal(holderOf(resource, options)?.pid, process.pid);
    t.equal(holderOf(resource), null);
    held.release();
  }
});

await t.test('every grant names its own owner', async (t) => {
  const resource = join(t.testdir(), 'data');
  const other = `${resource}2`;
  const owners = ['a', 'b', undefined, 'a', undefined, '\u0007 bell "quoted" 🔒', 'x'.repeat(5000)];
  const unnamed = new Set<string | undefined>();
  for (const owner of owners) {
    const held = mustLock(resource, owner === undefined ? {} : { owner });
    const second = mustLock(other, { owner: 'somebody else' });
    const named = holderOf(resource)?.owner;
    if (owner === undefined) unnamed.add(named);
    else if (owner.length < 100) t.equal(named, owner);
    else t.match(named, /^x+…$/);
    t.equal(holderOf(other)?.owner, 'somebody else');
    second.release();
    held.release();
  }
  t.equal(unnamed.size, 1);
  t.match([...unnamed][0], /@/);
});

await t.test('shared holders and bare files name nobody', async (t) => {
  const resource = join(t.testdir({ data: 'x' }), 'data');
  const shared = mustLock(resource, { shared: true, owner: 'a reader' });
  t.equal(holderOf(resource), null);
  shared.release();
  const bare = mustLock(resource, { sidecar: false, owner: 'a program' });
  t.equal(holderOf(resource), null);
  t.equal(readFileSync(resource, 'utf8'), 'x', 'and the resource is not written to');
  bare.release();
  t.equal(readFileSync(resource, 'utf8'), 'x');
});

await t.test('errors name the holder', async (t) => {
  const resource = join(t.testdir(), 'data');
  const held = mustLock(resource, { owner: 'the night job' });
  const holder = { owner: 'the night job', pid: process.pid };
  const path = `${resource}.lock`;
  await t.rejects(lock(resource, { timeout: 0 }), { code: 'ERR_LOCK_HELD', holder, path });
  await t.rejects(lock(resource, { timeout: 1 }), {
    code: 'ERR_LOCK_TIMEOUT',
    message: /timed out after 1 ms.*the night job \(pid \d+ on /,
    holder,
    path,
  });
  t.throws(() => lockSync(resource, { timeout: 1000 }), { code: 'ERR_LOCK_HELD', holder });
  held.release();
  const error: unknown = await mustLockShared(resource);
  t.ok(error instanceof LockError);
  t.match(error, { holder: null, message: /no name/ });
});

/** The error of whoever comes while a shared holder is there. */
async function mustLockShared(resource: string): Promise<unknown> {
  using shared = mustLock(resource, { shared: true });
  t.equal(shared.held, true);
  return await lock(resource, { timeout: 0 }).catch((e: unknown) => e);
}

// A lock file of another program may already stand where the sidecar would be. It is locked, for
// that is what was asked, but it belongs to somebody else.
const foreign: Record<string, Buffer> = {
  'a yarn.lock': Buffer.from(
    '# THIS IS AN AUTOGENERATED FILE. DO NOT EDIT THIS FILE DIRECTLY.\n# yarn lockfile v1\n\n\n' +
      '"@babel/core@^7.0.0":\n  version "7.26.0"\n',
  ),
  'one byte': Buffer.from('x'),
  'a line feed': Buffer.from('\n'),
  'a pid': Buffer.from('4242\n'),
  'the magic of another version': Buffer.from('holdfast2-R\n{}\n'),
  'words that begin like the magic': Buffer.from('holdfastness'),
  'a disk image, which begins with zeros': Buffer.concat([Buffer.alloc(4096), Buffer.from('data')]),
  'zeros, one byte longer than a sidecar': Buffer.alloc(513),
  'zeros and then something': Buffer.concat([Buffer.alloc(100), Buffer.from('x')]),
};

for (const [name, contents] of Object.entries(foreign)) {
  await t.test(`${name} in place of the sidecar is locked, and never written to`, async (t) => {
    const folder = t.testdir({ 'yarn.lock': contents });
    const resource = join(folder, 'yarn');
    const file = `${resource}.lock`;
    const held = mustLock(resource, { owner: 'me' });
    t.equal(held.lockPath, file);
    t.equal(held.previous, null);
    t.equal(tryLock(resource), null, 'it excludes');
    await t.rejects(lock(resource, { timeout: 5 }), { code: 'ERR_LOCK_TIMEOUT', holder: null });
    t.equal(holderOf(resource), null);
    held.assertHeld();
    t.ok(readFileSync(file).equals(contents), 'while held');
    held.release();
    t.ok(readFileSync(file).equals(contents), 'after the release');
    const shared = mustLock(resource, { shared: true });
    shared.release();
    t.ok(readFileSync(file).equals(contents), 'after a shared lock');
  });
}

await t.test('what a crash left of a sidecar is filled in again', async (t) => {
  const remains = [
    '',
    'hold',
    'holdfast1',
    'holdfast1-',
    'holdfast1-H',
    'holdfast1-H 00017',
    '\0'.repeat(512),
  ];
  for (const contents of remains) {
    const resource = join(t.testdir({ 'data.lock': contents }), 'data');
    const held = mustLock(resource, { owner: 'me' });
    t.equal(holderOf(resource)?.owner, 'me', JSON.stringify(contents.slice(0, 12)));
    t.equal(held.previous, null);
    held.release();
    t.equal(statSync(`${resource}.lock`).size, 512);
    t.equal(holderOf(resource), null);
  }
});

await t.test('zeros of any other size are data of somebody else', async (t) => {
  for (const size of [8, 30, 511, 513, 4096]) {
    const resource = join(t.testdir({ 'data.lock': '\0'.repeat(size) }), 'data');
    mustLock(resource).release();
    t.strictSame(readFileSync(`${resource}.lock`), Buffer.alloc(size));
  }
});

await t.test('somebody overwrites the sidecar while it is held', async (t) => {
  const resource = join(t.testdir(), 'data');
  const held = mustLock(resource);
  const mine = 'this file is mine now, whatever it was\n';
  writeFileSync(held.lockPath, mine);
  t.equal(holderOf(resource), null);
  t.equal(tryLock(resource), null, 'the text never decides');
  held.release();
  t.equal(readFileSync(held.lockPath, 'utf8'), mine, 'the release leaves it alone');
});
