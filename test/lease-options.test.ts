/**
 * Misuse of leases, through the public methods: a wrong type is a TypeError, an impossible number a
 * RangeError, and it names the option. Methods that return promises reject. Nothing was created.
 */
import { existsSync } from 'node:fs';
import t, { type Test } from 'tap';

import { Leases } from '../lib/index.js';
import { checkLeaseOptions } from '../lib/lease-options.js';
import { mustTake, rejection, someLeases } from './helpers/some-leases.js';

/** As a program without types sees it. */
type Untyped = Record<string, (...args: unknown[]) => Promise<unknown>>;
const untyped = (object: unknown): Untyped => object as Untyped;

type ErrorClass = typeof TypeError | typeof RangeError;

function assertMisuse(t: Test, error: unknown, type: ErrorClass, text: RegExp, what: string): void {
  t.equal((error as object | undefined)?.constructor, type, what);
  t.match((error as Error | undefined)?.message, text, what);
}

const cycle: Record<string, unknown> = {};
cycle['itself'] = cycle;

const wrong: [options: unknown, type: ErrorClass, text: RegExp][] = [
  [null, TypeError, /options must be an object/],
  ['30s', TypeError, /options must be an object/],
  [{ ttl: '30' }, TypeError, /ttl must be milliseconds, or a string/],
  [{ ttl: '30 s' }, TypeError, /ttl/],
  [{ ttl: null }, TypeError, /ttl/],
  [{ ttl: 30n }, TypeError, /ttl/],
  [{ ttl: 0 }, RangeError, /ttl must be more than 0 ms/],
  [{ ttl: -1 }, RangeError, /ttl/],
  [{ ttl: NaN }, RangeError, /ttl/],
  [{ ttl: Infinity }, RangeError, /ttl/],
  [{ ttl: '3653d' }, RangeError, /ten years/],
  [{ detached: 'yes' }, TypeError, /detached must be a boolean/],
  [{ detached: true }, TypeError, /a detached lease needs a ttl/],
  [{ renew: 1 }, TypeError, /renew must be a boolean/],
  [{ durable: null }, TypeError, /durable must be a boolean/],
  [{ owner: '' }, TypeError, /owner must be a non-empty string/],
  [{ owner: 7 }, TypeError, /owner/],
  [{ owner: 'x'.repeat(1025) }, RangeError, /owner must have at most 1024/],
  [{ signal: {} }, TypeError, /signal must be an AbortSignal/],
  [{ signal: null }, TypeError, /signal/],
  [{ meta: () => 1 }, TypeError, /meta/],
  [{ meta: Symbol('m') }, TypeError, /meta/],
  [{ meta: cycle }, TypeError, /circular/i],
  [{ meta: 1n }, TypeError, /BigInt/i],
  [{ meta: 'x'.repeat(4095) }, RangeError, /meta must be at most 4096 bytes/],
  [{ meta: 'ä'.repeat(2048) }, RangeError, /meta must be at most 4096 bytes/],
  [{ timeout: '1s' }, TypeError, /timeout must be a number of milliseconds/],
  [{ timeout: -1 }, RangeError, /timeout must be 0 or more/],
  [{ timeout: NaN }, RangeError, /timeout/],
  [{ retries: '3' }, TypeError, /retries must be a number/],
  [{ retries: -1 }, RangeError, /retries must be a whole number/],
  [{ retries: 1.5 }, RangeError, /retries/],
  [{ retries: NaN }, RangeError, /retries/],
];

await t.test('options of acquire, tryAcquire and with', async (t) => {
  const leases = someLeases(t);
  const { acquire, tryAcquire } = untyped(leases);
  for (const [options, type, text] of wrong) {
    const name = text.source;
    assertMisuse(t, await rejection(call(acquire, options)), type, text, `acquire: ${name}`);
    assertMisuse(t, await rejection(call(tryAcquire, options)), type, text, `tryAcquire: ${name}`);
    const inVain = untyped(leases)['with']?.('build', options, () => t.fail('not called'));
    assertMisuse(t, await rejection(inVain ?? Promise.resolve()), type, text, `with: ${name}`);
  }
  t.notOk(existsSync(leases.location), 'nothing was created');

  function call(method: Untyped[string] | undefined, options: unknown): Promise<unknown> {
    return method?.call(leases, 'build', options) ?? Promise.resolve();
  }
});

await t.test('backoff', async (t) => {
  const leases = someLeases(t);
  const held = await mustTake(leases);
  const attempt = (backoff: unknown): Promise<unknown> =>
    rejection(untyped(leases)['tryAcquire']?.('build', { retries: 1, backoff }) ?? never());
  assertMisuse(t, await attempt({ initial: -1 }), RangeError, /backoff.initial/, 'initial');
  assertMisuse(t, await attempt({ factor: 0.5 }), RangeError, /backoff.factor/, 'factor');
  assertMisuse(t, await attempt({ initial: '1' }), TypeError, /backoff.initial/, 'a string');
  await held.release();
});

const never = (): Promise<never> => Promise.reject(new Error('there is no such method'));

await t.test('names', async (t) => {
  const leases = someLeases(t);
  const names: [name: unknown, type: ErrorClass][] = [
    ['', TypeError],
    ['a\0b', TypeError],
    [undefined, TypeError],
    [7, TypeError],
    ['x'.repeat(4097), RangeError],
  ];
  const rest: Record<string, unknown[]> = {
    acquire: [],
    tryAcquire: [],
    with: [() => 1],
    adopt: [{ id: '0'.repeat(32), token: 1n }],
    inspect: [],
    break: [{ force: true }],
    freeze: [{ ttl: 1 }],
    unfreeze: [],
  };
  for (const [method, args] of Object.entries(rest)) {
    for (const [name, type] of names) {
      const error = await rejection(untyped(leases)[method]?.(name, ...args) ?? never());
      assertMisuse(t, error, type, /name/, method);
    }
  }
  t.notOk(existsSync(leases.location));
});

await t.test('the other arguments', async (t) => {
  const leases = someLeases(t);
  const all: [method: string, args: unknown[], type: ErrorClass, text: RegExp][] = [
    ['with', ['build'], TypeError, /fn must be a function/],
    ['with', ['build', { ttl: 1 }], TypeError, /fn must be a function/],
    ['adopt', ['build', { id: 'x', token: 1n }], TypeError, /id must be 32 hexadecimal/],
    ['adopt', ['build', { id: 'A'.repeat(32), token: 1n }], TypeError, /id/],
    ['adopt', ['build', { id: '0'.repeat(32), token: 1 }], TypeError, /token must be a bigint/],
    ['adopt', ['build', { id: '0'.repeat(32), token: '0x1' }], TypeError, /token/],
    ['adopt', ['build', { id: '0'.repeat(32), token: -1n }], TypeError, /token/],
    ['adopt', ['build', { id: '0'.repeat(32), token: '' }], TypeError, /token/],
    ['break', ['build'], TypeError, /options must be an object/],
    ['break', ['build', {}], TypeError, /say whose lease to break/],
    ['break', ['build', { stale: false, force: false }], TypeError, /say whose lease to break/],
    ['break', ['build', { stale: true, force: true }], TypeError, /exclude each other/],
    ['break', ['build', { stale: 1 }], TypeError, /stale must be a boolean/],
    ['break', ['build', { force: 'yes' }], TypeError, /force must be a boolean/],
    ['break', ['build', { token: 1 }], TypeError, /token/],
    ['freeze', ['build'], TypeError, /ttl/],
    ['freeze', ['build', {}], TypeError, /ttl/],
    ['freeze', ['build', { ttl: 0 }], RangeError, /ttl/],
  ];
  for (const [method, args, type, text] of all) {
    const error = await rejection(untyped(leases)[method]?.(...args) ?? never());
    assertMisuse(t, error, type, text, `${method}: ${text.source}`);
  }
  t.throws(() => untyped(leases)['list']?.(7), TypeError);
  t.notOk(existsSync(leases.location));
});

await t.test('new Leases', (t) => {
  const store = someLeases(t);
  const all: [options: unknown, type: ErrorClass, text: RegExp][] = [
    [null, TypeError, /options must be an object/],
    [{ dir: '' }, TypeError, /dir must be a non-empty string/],
    [{ dir: 7 }, TypeError, /dir/],
    [{ store: 'etcd' }, TypeError, /store must be a LeaseStore/],
    [{ store, dir: '/x' }, TypeError, /belong to files/],
    [{ store, clock: Date }, TypeError, /belong to files/],
    [{ store, fileMode: 0 }, TypeError, /belong to files/],
    [{ store, network: 'allow' }, TypeError, /belong to files/],
    [{ owner: '' }, TypeError, /owner/],
    [{ clock: {} }, TypeError, /clock must be an object with now/],
    [{ clock: () => 1 }, TypeError, /clock/],
    [{ fileMode: '600' }, TypeError, /fileMode/],
    [{ fileMode: 0o1000 }, RangeError, /fileMode/],
    [{ network: 'yes' }, TypeError, /network/],
  ];
  for (const [options, type, text] of all) {
    let error: unknown;
    try {
      new Leases(options as object);
    } catch (thrown) {
      error = thrown;
    }
    assertMisuse(t, error, type, text, text.source);
  }
  t.end();
});

await t.test('what is given is taken', async (t) => {
  t.strictSame(checkLeaseOptions(), {
    ttl: null,
    detached: false,
    renew: true,
    durable: false,
    owner: undefined,
    meta: {},
    signal: undefined,
    timeout: Infinity,
    retries: 0,
    backoff: undefined,
  });
  t.equal(checkLeaseOptions({ retries: Infinity, ttl: '1.5m' }).ttl, 90_000);
  const leases = someLeases(t, { fileMode: 0o640 });
  const meta = { list: ['x'.repeat(4096 - 13)] };
  t.equal(Buffer.byteLength(JSON.stringify(meta)), 4096, 'as much as there may be');
  const lease = await mustTake(leases, 'x'.repeat(4096), { meta, owner: 'ä'.repeat(1024) });
  t.strictSame(lease.meta, meta);
  meta.list.push('more');
  t.strictSame((lease.meta as typeof meta).list.length, 1, 'not what the caller made of it later');
  t.equal(lease.owner.length, 1024);
  await lease.release();
});
