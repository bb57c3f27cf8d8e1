/**
 * Misuse, through the public functions: a wrong type is a TypeError, an impossible number a
 * RangeError. `lock` and `withLock` reject, the others throw. Nothing has been locked or created.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t, { type Test } from 'tap';

import * as holdfast from '../lib/index.js';

/** The library as a program without types sees it. */
const { lock, tryLock, lockSync, withLock, lockPathFor, holderOf } = holdfast as unknown as {
  lock: (...args: unknown[]) => Promise<unknown>;
  tryLock: (...args: unknown[]) => holdfast.FileLock | null;
  lockSync: (...args: unknown[]) => holdfast.FileLock;
  withLock: (...args: unknown[]) => Promise<unknown>;
  lockPathFor: (...args: unknown[]) => string;
  holderOf: (...args: unknown[]) => unknown;
};

/** What is thrown, or undefined. */
function thrown(fn: () => unknown): unknown {
  try {
    fn();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** What it is rejected with, or undefined; throws where it should have rejected. */
async function rejection(fn: () => Promise<unknown>): Promise<unknown> {
  let promise: Promise<unknown>;
  try {
    promise = fn();
  } catch (error) {
    throw new Error('threw instead of rejecting', { cause: error });
  }
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

type ErrorClass = typeof TypeError | typeof RangeError;

function assertMisuse(t: Test, error: unknown, type: ErrorClass, text: RegExp, name: string): void {
  if (!(error instanceof Error)) {
    t.fail(`${name}: no error`);
    return;
  }
  t.equal(error.constructor, type, `${name}: ${error.constructor.name}`);
  t.match(error.message, text, `${name}: says what is wrong`);
}

/** Calls every function with these options. `lockSync` gets a limit unless the table has one. */
async function assertRefused(
  t: Test,
  options: unknown,
  type: ErrorClass,
  text: RegExp,
): Promise<void> {
  const folder = t.testdir();
  const file = join(folder, 'data');
  const withLimit =
    typeof options === 'object' && options !== null ? { timeout: 1, ...options } : options;
  let called = false;
  const fn = (): void => {
    called = true;
  };
  assertMisuse(t, await rejection(() => lock(file, options)), type, text, 'lock');
  assertMisuse(t, await rejection(() => withLock(file, fn, options)), type, text, 'withLock');
  assertMisuse(
    t,
    thrown(() => tryLock(file, options)),
    type,
    text,
    'tryLock',
  );
  assertMisuse(
    t,
    thrown(() => lockSync(file, withLimit)),
    type,
    text,
    'lockSync',
  );
  t.equal(called, false, 'the function was not called');
  t.strictSame(readdirSync(folder), [], 'nothing was created');
  t.strictSame(holdfast.heldLocks(), [], 'nothing is held');
}

const notBooleans = [null, 0, 1, '', 'true', {}, []];
const wrongTypes: Record<string, { values: unknown[]; text: RegExp }> = {
  shared: { values: notBooleans, text: /^shared must be a boolean/ },
  sidecar: { values: notBooleans, text: /^sidecar must be a boolean/ },
  directory: { values: notBooleans, text: /^directory must be a boolean/ },
  owner: { values: [null, '', 7, {}, Symbol('x')], text: /^owner must be a non-empty string/ },
  signal: {
    values: [null, {}, new AbortController(), new EventTarget(), 'abort'],
    text: /^signal must be an AbortSignal/,
  },
  timeout: { values: [null, '1', 1n, {}, new Date()], text: /^timeout must be a number/ },
  fileMode: { values: [null, '0600', 1n, {}], text: /^fileMode must be a number/ },
  network: { values: [null, true, '', 'Allow', 1], text: /^network must be 'allow' or 'refuse'/ },
  lockPath: { values: [null, 7, {}, true, Buffer.from('x')], text: /must be a string or a file: / },
};

for (const [name, { values, text }] of Object.entries(wrongTypes)) {
  for (const value of values) {
    await t.test(`${name}: ${describe(value)} is a TypeError`, async (t) => {
      await assertRefused(t, { [name]: value }, TypeError, text);
    });
  }
}

for (const timeout of [NaN, -1, -Infinity, -0.001]) {
  await t.test(`timeout: ${timeout} is a RangeError`, async (t) => {
    await assertRefused(t, { timeout }, RangeError, /^timeout must be 0 or more/);
  });
}

for (const fileMode of [-1, 0o1000, 0.5, NaN, Infinity]) {
  await t.test(`fileMode: ${fileMode} is a RangeError`, async (t) => {
    await assertRefused(t, { fileMode }, RangeError, /^fileMode must be permission bits/);
  });
}

for (const other of [{ directory: true }, { lockPath: 'x.lock' }, { fileMode: 0o600 }]) {
  const name = Object.keys(other).join();
  await t.test(`sidecar: false with ${name} is a TypeError`, async (t) => {
    await assertRefused(
      t,
      { sidecar: false, ...other },
      TypeError,
      /^sidecar: false .*no directory/,
    );
  });
}

for (const options of [null, 5, 'x', true, () => undefined, Symbol('x')]) {
  await t.test(`options: ${describe(options)} is a TypeError`, async (t) => {
    await assertRefused(t, options, TypeError, /^options must be an object/);
  });
}

await t.test('lockSync needs a limit, and one that ends', async (t) => {
  const file = join(t.testdir(), 'data');
  assertMisuse(
    t,
    thrown(() => lockSync(file)),
    TypeError,
    /timeout/,
    'no options',
  );
  assertMisuse(
    t,
    thrown(() => lockSync(file, {})),
    TypeError,
    /timeout/,
    'no timeout',
  );
  const forever = (): unknown => lockSync(file, { timeout: Infinity });
  assertMisuse(t, thrown(forever), RangeError, /that ends/, 'Infinity');
});

await t.test('a wrong function is a TypeError, and nothing stays locked', async (t) => {
  const file = join(t.testdir(), 'data');
  for (const fn of [undefined, null, 'x', {}]) {
    const error = await rejection(() => withLock(file, fn));
    assertMisuse(t, error, TypeError, /function/, describe(fn));
  }
  t.strictSame(holdfast.heldLocks(), []);
});

const wrongResources: Record<string, unknown> = {
  'the empty string': '',
  NUL: 'a\0b',
  'a NUL at the end': 'a\0',
  newline: 'a\nb',
  tab: 'a\tb',
  escape: '\x1b[31m',
  DEL: 'a\x7f',
  undefined: undefined,
  null: null,
  'a number': 7,
  'an object': {},
  'an array': ['data'],
  'a Buffer': Buffer.from('data'),
  'a String object': Object('data') as unknown,
  'an http: URL': new URL('http://example.org/data'),
  'a file: URL with a NUL': new URL('file:///tmp/a%00b'),
  'a file: URL with a newline': new URL('file:///tmp/a%0Ab'),
  'a file: URL with an encoded slash': new URL('file:///tmp/a%2Fb'),
};

for (const [name, resource] of Object.entries(wrongResources)) {
  await t.test(`${name} as the resource is a TypeError`, async (t) => {
    const calls: Record<string, () => unknown> = {
      tryLock: () => tryLock(resource),
      lockSync: () => lockSync(resource, { timeout: 1 }),
      lockPathFor: () => lockPathFor(resource),
      holderOf: () => holderOf(resource),
      'without a sidecar': () => tryLock(resource, { sidecar: false }),
      'as lockPath': () => tryLock(join(t.testdirName, 'data'), { lockPath: resource ?? null }),
    };
    for (const [call, fn] of Object.entries(calls)) {
      t.ok(thrown(fn) instanceof TypeError, call);
    }
    t.ok((await rejection(() => lock(resource))) instanceof TypeError, 'lock');
    t.ok((await rejection(() => withLock(resource, () => 1))) instanceof TypeError, 'withLock');
    t.strictSame(holdfast.heldLocks(), []);
  });
}

await t.test('undefined is as good as left out, for every option', async (t) => {
  const file = join(t.testdir(), 'data');
  const names = [...Object.keys(wrongTypes)];
  const held = tryLock(file, Object.fromEntries(names.map((name) => [name, undefined])));
  t.equal(held?.lockPath, lockPathFor(file));
  held?.release();
  tryLock(file, undefined)?.release();
  t.strictSame(holdfast.heldLocks(), []);
});

await t.test('the ends of the ranges are taken', async (t) => {
  const file = join(t.testdir(), 'data');
  for (const timeout of [0, -0, 0.5, 2 ** 31, Number.MAX_VALUE, Infinity]) {
    const held = (await lock(file, { timeout })) as holdfast.FileLock;
    held.release();
    if (timeout !== Infinity) lockSync(file, { timeout }).release();
  }
  t.strictSame(holdfast.heldLocks(), []);
});

await t.test('fileMode: the bits of a new sidecar, whatever the umask', async (t) => {
  const folder = t.testdir();
  const bits = (name: string): number => statSync(join(folder, `${name}.lock`)).mode & 0o777;
  const before = process.umask(0o027);
  t.teardown(() => process.umask(before));
  tryLock(join(folder, 'shared'), { fileMode: 0o666 })?.release();
  t.equal(bits('shared'), 0o666);
  tryLock(join(folder, 'private'), { fileMode: 0o600 })?.release();
  t.equal(bits('private'), 0o600);
  tryLock(join(folder, 'default'))?.release();
  t.equal(bits('default'), 0o640);
  tryLock(join(folder, 'private'), { fileMode: 0o666 })?.release();
  t.equal(bits('private'), 0o600, 'those of an existing one are left alone');
});

await t.test('a file: URL is a path', async (t) => {
  const file = join(t.testdir(), 'a b#é');
  const held = tryLock(pathToFileURL(file));
  t.equal(held?.resourcePath, file);
  t.equal(tryLock(file), null, 'the same lock');
  held?.release();
  const elsewhere = tryLock(file, { lockPath: pathToFileURL(`${file}.elsewhere`) });
  t.equal(elsewhere?.lockPath, `${file}.elsewhere`);
  t.ok(existsSync(`${file}.elsewhere`));
  elsewhere?.release();
});

function describe(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'object' && value !== null) {
    const name = value.constructor.name;
    return `${/^[AEIO]/.test(name) ? 'an' : 'a'} ${name}`;
  }
  return typeof value === 'string' ? JSON.stringify(value) : `${String(value)} (${typeof value})`;
}
