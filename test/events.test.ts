/** The diagnostics channels: what is told, in which order, and that silence costs nothing. */
import { channel, subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import { unlinkSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { lock, lockSync, tryLock, withLock, type FileLock, type LockEvent } from '../lib/index.js';
import './helpers/unwatched.js';

/** By name, as a user finds them. */
const acquire = tracingChannel<unknown, LockEvent>('holdfast:acquire');
const released = channel('holdfast:release');
const lost = channel('holdfast:lost');
const steps = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const;

type Message = LockEvent & { result?: unknown; error?: unknown };
interface Told {
  name: string;
  message: Message;
  /** As it was then: the tracing channel adds to one and the same object. */
  result: unknown;
  error: unknown;
}

/** Listens to everything until the end of the test. */
function listen(t: Test): Told[] {
  const told: Told[] = [];
  const hear = (name: string, channelName: string | symbol): void => {
    const heard = (message: unknown): void => {
      const { result, error } = message as Message;
      told.push({ name, message: message as Message, result, error });
    };
    subscribe(channelName, heard);
    t.teardown(() => unsubscribe(channelName, heard));
  };
  for (const step of steps) hear(step, acquire[step].name);
  hear('release', released.name);
  hear('lost', lost.name);
  return told;
}

const names = (told: Told[]): string[] => told.map(({ name }) => name);

await t.test('an acquisition that succeeds at once', async (t) => {
  const told = listen(t);
  const resource = join(t.testdir(), 'data');
  const held = await lock(resource);
  t.strictSame(names(told), ['start', 'end', 'asyncStart', 'asyncEnd']);
  t.strictSame(Object.keys(told[0]?.message ?? {}).sort(), [
    'kind',
    'resource',
    'result',
    'shared',
  ]);
  t.match(told[0]?.message, { kind: 'file', resource, shared: false });
  t.equal(told[0]?.result, undefined);
  t.equal(told[3]?.result, held, 'asyncEnd carries the lock');
  t.ok(
    told.every(({ message }) => message === told[0]?.message),
    'one message, so that a subscriber can match start and end',
  );
  held.release();
  t.equal(told[4]?.name, 'release');
  t.strictSame(told[4]?.message, { kind: 'file', resource, shared: false });
  held.release();
  t.equal(told.length, 5, 'a second release is none');
});

await t.test('a wait: the end comes when the lock does', async (t) => {
  const resource = join(t.testdir(), 'data');
  const first = await lock(resource);
  const told = listen(t);
  const pending = lock(resource, { shared: true });
  t.strictSame(names(told), ['start', 'end'], 'under way');
  first.release();
  const second = await pending;
  t.strictSame(names(told), ['start', 'end', 'release', 'asyncStart', 'asyncEnd']);
  t.match(told[4], { result: second, message: { shared: true } });
  second.release();
  t.match(told[5], { name: 'release', message: { resource, shared: true } });
});

await t.test('an acquisition that fails', async (t) => {
  const resource = join(t.testdir(), 'data');
  const held = await lock(resource);
  t.teardown(() => {
    held.release();
  });
  const told = listen(t);
  const reason = new Error('enough');
  const failures: [code: unknown, attempt: () => Promise<FileLock>][] = [
    ['ERR_LOCK_HELD', () => lock(resource, { timeout: 0 })],
    ['ERR_LOCK_TIMEOUT', () => lock(resource, { timeout: 1 })],
    [undefined, () => lock(resource, { signal: AbortSignal.abort(reason) })],
  ];
  for (const [code, attempt] of failures) {
    told.length = 0;
    const error: unknown = await attempt().catch((e: unknown) => e);
    t.equal((error as { code?: unknown }).code, code);
    t.strictSame(names(told), ['start', 'end', 'error', 'asyncStart', 'asyncEnd'], String(code));
    t.equal(told[2]?.error, error, 'the very error that the caller gets');
    t.equal(told[4]?.result, undefined);
  }
});

await t.test('tryLock and lockSync', async (t) => {
  const told = listen(t);
  const resource = join(t.testdir(), 'data');
  const held = tryLock(resource);
  t.strictSame(names(told), ['start', 'end']);
  t.equal(told[1]?.result, held);
  told.length = 0;
  t.equal(tryLock(resource), null);
  t.strictSame(names(told), ['start', 'end']);
  t.equal(told[1]?.result, null, 'busy is an answer, not an error');
  told.length = 0;
  t.throws(() => lockSync(resource, { timeout: 5 }), { code: 'ERR_LOCK_HELD' });
  t.strictSame(names(told), ['start', 'error', 'end']);
  t.match(told[1]?.error, { code: 'ERR_LOCK_HELD' });
  told.length = 0;
  held?.release();
  lockSync(resource, { timeout: 5 }).release();
  t.strictSame(names(told), ['release', 'start', 'end', 'release']);
});

await t.test('withLock tells of its acquisition and of its release', async (t) => {
  const told = listen(t);
  const seen = await withLock(join(t.testdir(), 'data'), () => names(told));
  t.strictSame(seen, ['start', 'end', 'asyncStart', 'asyncEnd']);
  t.strictSame(names(told), [...seen, 'release']);
});

await t.test('a lost lock is told of once', async (t) => {
  const resource = join(t.testdir(), 'data');
  const held = await lock(resource);
  const told = listen(t);
  held.assertHeld();
  t.strictSame(told, [], 'not while it is held');
  unlinkSync(`${resource}.lock`);
  t.strictSame(told, [], 'nobody has looked');
  t.throws(
    () => {
      held.assertHeld();
    },
    { code: 'ERR_LOCK_LOST' },
  );
  t.match(told, [{ name: 'lost', message: { kind: 'file', resource, shared: false } }]);
  t.throws(
    () => {
      held.assertHeld();
    },
    { code: 'ERR_LOCK_LOST' },
  );
  t.equal(told.length, 1);
  held.release();
  t.strictSame(names(told), ['lost', 'release']);
  t.throws(
    () => {
      held.assertHeld();
    },
    { code: 'ERR_LOCK_LOST' },
  );
  t.equal(told.length, 2, 'a lock that was given back is not lost');
});

await t.test('misuse is no attempt', async (t) => {
  const told = listen(t);
  await t.rejects(lock(''), TypeError);
  t.throws(() => tryLock('\0'), TypeError);
  t.strictSame(told, []);
});

await t.test('without subscribers nothing is published, nor built', async (t) => {
  const resource = join(t.testdir(), 'data');
  let calls = 0;
  // A property of the object itself goes before publish() of the class, subscribers or not.
  for (const each of [...steps.map((step) => acquire[step]), released, lost]) {
    Object.defineProperty(each, 'publish', { configurable: true, value: () => calls++ });
    t.teardown(() => {
      Reflect.deleteProperty(each, 'publish');
    });
  }
  const useAll = async (): Promise<void> => {
    (await lock(resource)).release();
    lockSync(resource, { timeout: 1 }).release();
    const held = tryLock(resource);
    await t.rejects(lock(resource, { timeout: 1 }));
    unlinkSync(`${resource}.lock`);
    t.throws(() => held?.assertHeld());
    held?.release();
  };
  await useAll();
  t.equal(calls, 0);
  listen(t);
  await useAll();
  t.ok(calls > 10, `with subscribers it would have been noticed: ${calls}`);
});

await t.test('a subscriber that throws does not cost the lock', async (t) => {
  // diagnostics_channel reports it as an uncaught exception, on the next tick.
  const resource = join(t.testdir(), 'data');
  const boom = (): never => {
    throw new Error('a bad subscriber');
  };
  const uncaught: unknown[] = [];
  process.setUncaughtExceptionCaptureCallback((error) => uncaught.push(error));
  subscribe(released.name, boom);
  t.teardown(() => {
    unsubscribe(released.name, boom);
    process.setUncaughtExceptionCaptureCallback(null);
  });
  const held = await lock(resource);
  held.release();
  t.equal(held.held, false);
  (await lock(resource)).release();
  await new Promise(setImmediate);
  t.match(uncaught, [{ message: 'a bad subscriber' }, { message: 'a bad subscriber' }]);
});
