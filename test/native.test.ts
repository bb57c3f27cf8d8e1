/**
 * The border between JavaScript and the addon: what happens without a binary, and with arguments
 * that are not what the addon expects. A mistake there is not an exception but a crash, so every
 * export is called with every kind of wrong value.
 */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t, { type Test } from 'tap';

import { lock, tryLock } from '../lib/index.js';
import { addon, createExclusive, Flag, Outcome, type Handle } from '../lib/native.js';
import { encodeRecord } from '../lib/record.js';
import { copyPackage } from './helpers/package-copy.js';
import { packageRoot } from './helpers/peer.js';
import { someRecord } from './helpers/records.js';

type Untyped = Record<string, (...args: unknown[]) => unknown>;
const untyped = addon as unknown as Untyped;

/** The package as it would be installed, but without any binary. */
function installWithoutBinary(t: Test): string {
  const root = t.testdir({ node_modules: {} });
  for (const each of ['lib', 'package.json', 'node_modules/node-gyp-build']) {
    cpSync(join(packageRoot, each), join(root, each), { recursive: true });
  }
  return root;
}

/** What a program sees that imports the package from there. */
function importError(root: string): Record<'name' | 'code' | 'message' | 'cause', string> {
  const url = pathToFileURL(join(root, 'lib/index.js')).href;
  const script = `
    import(${JSON.stringify(url)}).then(
      () => console.log('{"message":"it loads"}'),
      ({ name, code, message, cause }) =>
        console.log(JSON.stringify({ name, code, message, cause: cause.message })),
    );
  `;
  const output = execFileSync(process.execPath, ['-e', script], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], PREBUILDS_ONLY: '' },
  });
  return JSON.parse(output) as ReturnType<typeof importError>;
}

function assertMissing(t: Test, error: ReturnType<typeof importError>): void {
  t.match(error, { name: 'LockError', code: 'ERR_LOCK_NATIVE_MISSING' });
  t.match(error.message, `${process.platform}-${process.arch}`);
  if (process.platform === 'linux') t.match(error.message, /\((glibc \d+\.\d+|musl)\)/);
  const remedy = /npm explore holdfast -- npm run (\S+)/.exec(error.message)?.[1];
  const { scripts } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  t.ok(remedy !== undefined && remedy in scripts, `the remedy exists: npm run ${remedy ?? ''}`);
}

await t.test('without a binary the error says what is missing and how to get it', async (t) => {
  const root = installWithoutBinary(t);
  const error = importError(root);
  assertMissing(t, error);
  t.match(error.cause, /No native build was found/, 'the cause is that of node-gyp-build');
});

await t.test('a binary that cannot be loaded', async (t) => {
  const root = installWithoutBinary(t);
  const folder = join(root, 'prebuilds', `${process.platform}-${process.arch}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'holdfast.node'), 'not a binary');
  const error = importError(root);
  assertMissing(t, error);
  t.match(error.cause, /holdfast\.node/, 'the cause names the file');
});

await t.test('the same package with its binary loads', async (t) => {
  const root = installWithoutBinary(t);
  cpSync(join(packageRoot, 'prebuilds'), join(root, 'prebuilds'), { recursive: true });
  t.strictSame(importError(root), { message: 'it loads' });
});

/** Values of every kind, none of them what an addon function expects anywhere. */
const wrongValues: unknown[] = [
  undefined,
  null,
  {},
  [],
  Object.create(null),
  () => undefined,
  Symbol('x'),
  10n,
  new Date(),
  new Map(),
  new Proxy({}, {}),
  new ArrayBuffer(8),
  new DataView(new ArrayBuffer(8)),
  new Uint16Array(4),
  new Float64Array(4),
  Promise.resolve(),
  globalThis,
];

/** Whatever happens to the arguments is a TypeError; the process is still there to see it. */
function assertTypeError(t: Test, name: string, args: unknown[], which: string): void {
  let error: unknown;
  try {
    untyped[name]?.(...args);
  } catch (thrown) {
    error = thrown;
  }
  t.ok(error instanceof TypeError, `${name}: ${which}`);
}

await t.test('every export refuses every wrong argument', async (t) => {
  const folder = t.testdir({ file: 'x' });
  const file = join(folder, 'file');
  const before = readdirSync(folder);
  const flags = Flag.local;
  const held = addon.createHandle();
  t.equal(addon.tryAcquire(file, flags, -1, '', held), Outcome.granted);
  t.teardown(() => {
    addon.release(held);
  });
  let finished = (): void => undefined;
  const finishes = new Promise<void>((resolve) => (finished = resolve));
  const waiting = addon.createHandle();
  t.equal(addon.startWait(file, flags, -1, '', waiting, finished), undefined);
  const free = addon.createHandle();

  const text = ['', 'text', 'a\0b', 7, NaN, true, false];
  const paths = ['', '\0', `${file}\0`, 'x\0y', 7, true];
  const numbers = ['7', '', true];
  const handles = [7, 'x', true];
  const freeHandles = [...handles, held, waiting];
  // A look: whatever is there. The three in the middle take bytes, or null for none.
  const change = [join(folder, 'name'), Flag.local << 16, 0o600, null, null, null, '', free];
  const wrongChange = [paths, numbers, numbers, text, text, text, [7, true], [...handles, waiting]];
  /** For each export: good arguments, and what else is wrong in each place. */
  const exports: Record<string, { good: unknown[]; wrong: unknown[][] }> = {
    createHandle: { good: [], wrong: [] },
    tryAcquire: {
      good: [file, flags, -1, '', free],
      wrong: [paths, numbers, numbers, [7, true], freeHandles],
    },
    acquireSync: {
      good: [file, flags, -1, '', free, 0],
      wrong: [paths, numbers, numbers, [7, true], freeHandles, [...numbers, NaN, -1]],
    },
    startWait: {
      good: [file, flags, -1, '', free, () => undefined],
      wrong: [paths, numbers, numbers, [7, true], freeHandles, ['x', 7, free]],
    },
    cancelWait: { good: [waiting], wrong: [handles] },
    hasResult: { good: [waiting], wrong: [handles] },
    collect: { good: [waiting], wrong: [[...handles, free, held]] },
    discard: { good: [waiting], wrong: [[...handles, held]] },
    transact: { good: change, wrong: wrongChange },
    startTransact: { good: [...change, () => undefined], wrong: [...wrongChange, ['x', 7, free]] },
    collectTransact: { good: [waiting], wrong: [[...handles, free, held]] },
    startRecordWait: {
      good: [free, () => undefined],
      wrong: [
        [...handles, held],
        ['x', 7],
      ],
    },
    glance: { good: [file], wrong: [paths] },
    bootClock: { good: [], wrong: [] },
    bootIdentity: { good: [], wrong: [] },
    release: { good: [held], wrong: [handles] },
    failureOf: { good: [held], wrong: [handles] },
    previousOf: { good: [held], wrong: [handles] },
    stillNamed: { good: [held, file], wrong: [handles, paths] },
    descriptorOf: { good: [held], wrong: [handles] },
    dieWithUs: { good: [process.pid], wrong: [numbers] },
    outliveUs: { good: [], wrong: [] },
    identify: { good: [file, true], wrong: [paths, [0, 1, 'true']] },
    readSidecar: { good: [file], wrong: [paths] },
    readLink: { good: [file], wrong: [paths] },
    createExclusive: {
      good: [join(folder, 'new'), Buffer.from('x'), false, -1],
      wrong: [paths, text, [0, 1, 'true'], numbers],
    },
    processStart: { good: [process.pid], wrong: [numbers] },
    fsInfo: { good: [file], wrong: [paths] },
  };
  t.strictSame(Object.keys(exports).sort(), Object.keys(addon).sort(), 'no export is left out');

  for (const [name, { good, wrong }] of Object.entries(exports)) {
    t.equal(good.length, wrong.length, `${name}: every argument has its wrong values`);
    for (const [index, some] of wrong.entries()) {
      assertTypeError(t, name, good.slice(0, index), `only ${index} arguments`);
      for (const [which, value] of [...wrongValues, ...some].entries()) {
        if (typeof value === 'function' && typeof good[index] === 'function') continue;
        if (good[index] === null && (value === null || value instanceof Uint8Array)) continue;
        assertTypeError(
          t,
          name,
          good.with(index, value),
          `argument ${index}, wrong value ${which}`,
        );
      }
    }
  }
  assertTypeError(t, 'collect', [waiting], 'of a wait that is still under way');

  t.strictSame(readdirSync(folder), before, 'nothing was created');
  t.equal(addon.stillNamed(held, file), true, 'what was held is held');
  t.equal(addon.tryAcquire(file, flags, -1, '', free), Outcome.busy);
  addon.release(held);
  await finishes;
  t.equal(addon.collect(waiting), Outcome.granted, 'and who waited got it');
  addon.release(waiting);
});

await t.test('the good arguments of that table are good', async (t) => {
  // Else every call above could be refused for another reason than the one that is tested.
  const folder = t.testdir({ file: 'x' });
  const file = join(folder, 'file');
  const handle = addon.createHandle();
  t.strictSame(addon.failureOf(handle), { errno: 0, syscall: '' });
  t.equal(addon.tryAcquire(file, Flag.local, -1, '', handle), Outcome.granted);
  t.equal(addon.previousOf(handle), '');
  t.equal(addon.stillNamed(handle, file), true);
  addon.release(handle);
  addon.release(handle); // it holds nothing any more
  t.equal(addon.stillNamed(handle, join(folder, 'none')), false);
  t.equal(addon.acquireSync(file, Flag.local, -1, '', handle, 0), Outcome.granted);
  addon.release(handle);
  t.match(addon.identify(file, true), /^\d+:\d+:\d+$/);
  t.equal(addon.readSidecar(file), undefined);
  t.equal(addon.readLink(file), undefined);
  t.equal(addon.createExclusive(join(folder, 'new'), Buffer.from('x'), false, -1), undefined);
  t.type(addon.processStart(process.pid), 'number');
});

await t.test('a handle that holds a lock cannot be used for another', async (t) => {
  const folder = t.testdir({ one: '', two: '' });
  const handle = addon.createHandle();
  const attempt = (name: string, handle: Handle): Outcome =>
    addon.tryAcquire(join(folder, name), Flag.local, -1, '', handle);
  t.equal(attempt('one', handle), Outcome.granted);
  t.throws(() => attempt('two', handle), TypeError);
  t.throws(() => attempt('one', handle), TypeError);
  const other = addon.createHandle();
  t.equal(attempt('one', other), Outcome.busy, 'the first is still held');
  addon.release(handle);
  t.equal(attempt('one', other), Outcome.granted);
  addon.release(other);
});

await t.test(
  'a verdict on a filesystem does not outlive its mount',
  { skip: process.getuid?.() !== 0 && 'mounting takes root' },
  (t) => {
    const mount = mkdtempSync(join(tmpdir(), 'holdfast-mount-'));
    t.teardown(() => {
      rmSync(mount, { recursive: true });
    });
    const handle = addon.createHandle();
    const attempt = (flags: number): Outcome => {
      const path = join(mount, 'data');
      writeFileSync(path, '');
      const outcome = addon.tryAcquire(path, flags, -1, '', handle);
      addon.release(handle);
      return outcome;
    };
    const on = (type: string, act: () => void): number => {
      execFileSync('mount', ['-t', type, type, mount]);
      try {
        act();
        return statSync(mount).dev;
      } finally {
        execFileSync('umount', [mount]);
      }
    };
    // The kernel gives the number to the next mount, unless another program is faster.
    let reused = false;
    for (let tries = 0; tries < 20 && !reused; tries++) {
      const number = on('tmpfs', () => {
        t.equal(attempt(Flag.local), Outcome.granted, 'vouched for');
        t.equal(attempt(0), Outcome.granted, 'once');
      });
      // It could be a network filesystem; what matters is that nobody has vouched for it.
      const next = on('ramfs', () => {
        t.equal(attempt(0), Outcome.unjudged);
      });
      reused = next === number;
    }
    t.ok(reused);
    t.end();
  },
);

await t.test('a wait can be cancelled, collected and cancelled again', async (t) => {
  const file = join(t.testdir({ file: '' }), 'file');
  const held = addon.createHandle();
  t.equal(addon.tryAcquire(file, Flag.local, -1, '', held), Outcome.granted);
  let finished = (): void => undefined;
  const finishes = new Promise<void>((resolve) => (finished = resolve));
  const waiting = addon.createHandle();
  addon.startWait(file, Flag.local, -1, '', waiting, finished);
  // A cancelled wait no longer keeps the process alive; this timer does, until the callback.
  const alive = setInterval(() => addon.cancelWait(waiting), 1);
  await finishes;
  clearInterval(alive);
  t.equal(addon.cancelWait(waiting), true, 'it has a result');
  t.equal(addon.collect(waiting), Outcome.cancelled);
  t.throws(() => addon.collect(waiting), TypeError, 'once');
  t.equal(addon.cancelWait(waiting), true, 'there is nothing left to cancel');
  addon.release(held);
  t.equal(addon.tryAcquire(file, Flag.local, -1, '', waiting), Outcome.granted, 'free again');
  addon.release(waiting);
});

await t.test('a glance shows a record that somebody has for himself', async (t) => {
  const text = encodeRecord(someRecord).toString('latin1');
  const folder = t.testdir({ record: text, empty: '', other: 'x' });
  for (const name of ['record', 'empty', 'other']) {
    const path = join(folder, name);
    t.equal(addon.glance(path), undefined, `${name}: nobody has it`);
    const holder = addon.createHandle();
    const flags = Flag.local | Flag.plain;
    t.equal(addon.tryAcquire(path, flags, -1, '', holder), Outcome.granted);
    t.equal(addon.glance(path), name === 'record' ? text : undefined, `${name}: somebody has`);
    addon.release(holder);
    t.equal(addon.glance(path), undefined, `${name}: not any more`);
    // As a waiter has it that saw the holder's end.
    t.equal(addon.tryAcquire(path, flags | Flag.shared, -1, '', holder), Outcome.granted);
    t.equal(addon.glance(path), undefined, `${name}: a waiter is no holder`);
    addon.release(holder);
  }
  t.equal(addon.glance(join(folder, 'none')), undefined);
  t.equal(addon.glance(folder), undefined);
});

await t.test('no descriptor reaches JavaScript', async (t) => {
  const held = await lock(join(t.testdir(), 'data'));
  const handle = addon.createHandle();
  t.strictSame(Reflect.ownKeys(handle), []);
  t.equal(Object.getPrototypeOf(handle), null, 'an External: nothing to look at, nothing to copy');
  t.throws(() => structuredClone(handle), 'nor can it be sent to another thread');
  t.strictSame(Object.keys(held), [], 'nor does the lock show its own');
  t.equal(JSON.stringify(held), '{}');
  held.release();
});

await t.test('processStart', async (t) => {
  const mine = addon.processStart(process.pid) ?? 0;
  const began = Date.now() - process.uptime() * 1000;
  // The boot time is told in whole seconds; a clock that was set since moves it further.
  t.ok(Math.abs(mine - began) < 10_000, `${mine}, by the process itself ${began}`);
  t.equal(addon.processStart(2 ** 31 - 1), undefined, 'no such process');
  t.equal(addon.processStart(-1), undefined);
  t.equal(addon.processStart(0), undefined);
});

await t.test('createExclusive: as native.ts offers it', async (t) => {
  const folder = t.testdir({ there: 'old' });
  const file = join(folder, 'new');
  createExclusive(file, Buffer.from('one'), { durable: true });
  t.equal(readFileSync(file, 'utf8'), 'one');
  const exists = { code: 'EEXIST', syscall: 'open', path: file, errno: /^-\d+$/ };
  t.throws(() => {
    createExclusive(file, Buffer.from('two'), { durable: false });
  }, exists);
  t.equal(readFileSync(file, 'utf8'), 'one');
  const there = join(folder, 'there');
  t.throws(
    () => {
      createExclusive(there, Buffer.from('x'), { durable: true });
    },
    { code: 'EEXIST' },
  );
  t.equal(readFileSync(there, 'utf8'), 'old');
  const missing = join(folder, 'no/where');
  t.throws(
    () => {
      createExclusive(missing, Buffer.from('x'), { durable: true });
    },
    { code: 'ENOENT' },
  );
  createExclusive(join(folder, 'empty'), new Uint8Array(), { durable: false });
  t.equal(readFileSync(join(folder, 'empty'), 'utf8'), '');
  // A view into a larger buffer is those bytes, and no others.
  const view = new Uint8Array(Buffer.from('abcdef')).subarray(2, 4);
  createExclusive(join(folder, 'view'), view, { durable: false });
  t.equal(readFileSync(join(folder, 'view'), 'utf8'), 'cd');
});

await t.test(
  'a library that is loaded twice shares nothing, and both exclude each other',
  async (t) => {
    // As a bundler or two versions in one tree would do: locks belong to the kernel.
    const resource = join(t.testdir(), 'data');
    const url = pathToFileURL(join(copyPackage(t), 'lib/index.js')).href;
    const twin = (await import(url)) as { tryLock: typeof tryLock };
    t.not(twin.tryLock, tryLock);
    const held = tryLock(resource);
    t.equal(twin.tryLock(resource), null);
    held?.release();
    const theirs = twin.tryLock(resource);
    t.ok(theirs);
    t.equal(tryLock(resource), null);
    theirs?.release();
  },
);
