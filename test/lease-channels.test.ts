/** The diagnostics channels of leases: every event from the grant to the end, with its contents. */
import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import t, { type Test } from 'tap';

import { Leases, type LeaseEvent } from '../lib/index.js';
import { HandClock, mustTake, rejection, someLeases } from './helpers/some-leases.js';
import './helpers/unwatched.js';

const acquire = tracingChannel('holdfast:acquire');
const steps = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const;
const others = ['release', 'lost', 'renew', 'break', 'freeze'];

type Told = [channel: string, event: LeaseEvent & { result?: unknown; error?: unknown }];

/** Listens to everything until the end of the test; copies, for the tracing channel adds to its own. */
function listen(t: Test): Told[] {
  const told: Told[] = [];
  const hear = (name: string, channel: string | symbol): void => {
    const heard = (message: unknown): void => {
      told.push([name, { ...(message as LeaseEvent) }]);
    };
    subscribe(channel, heard);
    t.teardown(() => unsubscribe(channel, heard));
  };
  for (const step of steps) hear(step, acquire[step].name);
  for (const name of others) hear(name, `holdfast:${name}`);
  return told;
}

const names = (told: Told[]): string[] => told.map(([name]) => name);

await t.test('the life of a lease', async (t) => {
  const told = listen(t);
  const leases = someLeases(t);
  const lease = await mustTake(leases, 'build', { ttl: '1m', owner: 'bob' });
  const { id, token } = lease;
  const where = { kind: 'lease', store: 'file', location: leases.location, name: 'build' };
  const asked = {
    ...where,
    id,
    token: null,
    owner: 'bob',
    by: 'bob',
    detached: false,
    ttl: 60_000,
  };
  t.strictSame(names(told), ['start', 'end', 'asyncStart', 'asyncEnd']);
  t.strictSame(told[0]?.[1], asked, 'nothing is granted yet');
  t.strictSame(told[3]?.[1], { ...asked, result: lease });
  told.length = 0;
  const known = { ...asked, token };
  await lease.renew();
  await lease.detach();
  await lease.release();
  const after = { ...known, detached: true };
  t.strictSame(told, [
    ['renew', known],
    ['renew', { ...after, detaching: true }],
    ['release', after],
  ]);
  await lease.release();
  t.equal(told.length, 3, 'a second release is none');
});

await t.test('a lease that is broken, and its holder', async (t) => {
  const clock = new HandClock();
  const leases = someLeases(t, { clock });
  const carol = new Leases({ dir: leases.location, clock, owner: 'carol' });
  const first = await mustTake(leases, 'build', { ttl: 1000, renew: false });
  const told = listen(t);
  await carol.break('build', { force: true });
  const what = (lease: { id: string; token: bigint }): object => ({
    kind: 'lease',
    store: 'file',
    location: leases.location,
    name: 'build',
    id: lease.id,
    token: lease.token,
    owner: 'alice',
    by: 'alice',
    detached: false,
    ttl: 1000,
  });
  t.strictSame(told, [['break', { ...what(first), by: 'carol', state: 'held' }]]);
  t.equal(await first.release(), 'lost');
  t.strictSame(told.pop(), ['lost', what(first)]);
  t.equal(await first.release(), 'lost');
  t.equal(told.length, 1, 'told of once');

  const second = await mustTake(leases, 'build', { ttl: 1000, renew: false });
  clock.ms += 1000;
  told.length = 0;
  const third = await mustTake(carol);
  t.strictSame(names(told), ['start', 'end', 'break', 'asyncStart', 'asyncEnd']);
  t.strictSame(told[2]?.[1], { ...what(second), by: 'carol', state: 'expired' });
  await third.release();

  const fourth = await mustTake(leases, 'build', { ttl: 1000, renew: false });
  clock.ms += 1000;
  told.length = 0;
  await carol.sweep();
  t.strictSame(told, [['break', { ...what(fourth), by: 'carol', state: 'expired' }]]);
  told.length = 0;
  t.equal(await carol.break('build', { force: true }), null);
  t.strictSame(told, [], 'nothing to break, nothing to tell');
});

await t.test('what is done to an adopted lease was done by who adopted it', async (t) => {
  const leases = someLeases(t);
  const carol = new Leases({ dir: leases.location, owner: 'carol' });
  for (const end of ['release', 'lost']) {
    const given = await mustTake(leases, 'build', { detached: true, ttl: '1m' });
    const adopted = await carol.adopt('build', given);
    const told = listen(t);
    await adopted.renew();
    if (end === 'lost') await leases.break('build', { force: true });
    await adopted.release();
    const both = { id: given.id, owner: 'alice', by: 'carol' };
    const own = told.filter(([name]) => name !== 'break');
    t.match(own, [
      ['renew', both],
      [end, both],
    ]);
  }
});

await t.test('a freeze and its end', async (t) => {
  const leases = someLeases(t);
  const told = listen(t);
  await leases.freeze('build', { ttl: '1m' });
  const { location } = leases;
  const nothing = { id: null, token: null, owner: null, detached: null };
  const what = { kind: 'lease', store: 'file', location, name: 'build', ...nothing, by: 'alice' };
  t.strictSame(told, [['freeze', { ...what, ttl: 60_000 }]]);
  await leases.unfreeze('build');
  t.strictSame(told.pop(), ['freeze', { ...what, ttl: null }]);
  await leases.unfreeze('build');
  t.equal(told.length, 1, 'there was none');
});

await t.test('an attempt that fails', async (t) => {
  const leases = someLeases(t);
  const lease = await mustTake(leases);
  const told = listen(t);
  const reason = new Error('enough');
  for (const options of [{ timeout: 0 }, { timeout: 5 }, { signal: AbortSignal.abort(reason) }]) {
    told.length = 0;
    const error = await rejection(leases.acquire('build', options));
    t.strictSame(names(told), ['start', 'end', 'error', 'asyncStart', 'asyncEnd']);
    t.equal(told[2]?.[1].error, error, 'the very error that the caller gets');
    t.equal(told[4]?.[1].result, undefined);
  }
  told.length = 0;
  t.equal(await leases.tryAcquire('build'), null);
  t.strictSame(names(told), ['start', 'end', 'asyncStart', 'asyncEnd']);
  t.equal(told[3]?.[1].result, null, 'denied is an answer, not an error');
  told.length = 0;
  await t.rejects(leases.acquire(''), TypeError);
  t.strictSame(told, [], 'misuse is no attempt');
  await lease.release();
});

await t.test('a subscriber that throws does not cost the lease', async (t) => {
  const leases = someLeases(t);
  const boom = (_message: unknown, name: string | symbol): never => {
    throw new Error(String(name));
  };
  const uncaught: string[] = [];
  process.setUncaughtExceptionCaptureCallback((error) => uncaught.push(error.message));
  const channels = others.map((name) => `holdfast:${name}`);
  for (const channel of channels) subscribe(channel, boom);
  t.teardown(() => {
    for (const channel of channels) unsubscribe(channel, boom);
    process.setUncaughtExceptionCaptureCallback(null);
  });
  const lease = await mustTake(leases, 'build', { ttl: '1m' });
  await lease.renew();
  t.equal(await lease.release(), 'released');
  const second = await mustTake(leases);
  await leases.break('build', { force: true });
  t.equal(await second.release(), 'lost');
  t.ok(second.signal.aborted);
  await leases.freeze('build', { ttl: 1000 });
  await new Promise(setImmediate);
  t.strictSame(
    uncaught,
    ['renew', 'release', 'break', 'lost', 'freeze'].map((name) => `holdfast:${name}`),
  );
});
