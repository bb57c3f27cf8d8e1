// Everything that the library can do, for a while, by several at once in one process.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { endWithCampaign, generator, library } from '../campaign.mjs';
import { serve } from '../../test/fixtures/serve.mjs';
import { settled } from './measure.mjs';

const { Leases, lock, lockSync, tryLock, withLock } = await library();
const loops = 16;
const resources = 20;
const names = 100;
/** Longer than anybody waits in earnest. */
const stuckMs = 30_000;

let dir;
let leases;
let random;

endWithCampaign();

const pick = (array) => array[Math.floor(random() * array.length)];
const aFile = () => join(dir, 'files', `resource ${Math.floor(random() * resources)}`);
// A few names are what everybody wants.
const aName = () => `name ${Math.floor(random() ** 2 * names)}`;
const breath = () => (random() < 0.5 ? sleep(random() * 3) : undefined);

/** Aborted after a moment. */
function soon() {
  const controller = new AbortController();
  setTimeout(() => controller.abort('aborted'), random() * 10);
  return controller.signal;
}

async function letGo(held) {
  if (held === null) return;
  await breath();
  await held.release();
}

const operations = {
  'file tries': () => letGo(tryLock(aFile(), { shared: random() < 0.3 })),
  'file waits': async () => letGo(await lock(aFile(), { timeout: stuckMs })),
  'file time-outs': async () => letGo(await lock(aFile(), { timeout: random() * 5 })),
  'file aborts': async () => letGo(await lock(aFile(), { signal: soon() })),
  'shared file waits': async () => letGo(await lock(aFile(), { shared: true, timeout: stuckMs })),
  'synchronous file waits': () => lockSync(aFile(), { timeout: random() * 2 }).release(),
  'file bodies': () => withLock(aFile(), breath, { timeout: stuckMs }),
  'lease tries': async () => letGo(await leases.tryAcquire(aName(), { ttl: '10s' })),
  'lease waits': async () => letGo(await leases.acquire(aName(), { timeout: stuckMs })),
  'lease time-outs': async () => letGo(await leases.acquire(aName(), { timeout: random() * 5 })),
  'lease aborts': async () => letGo(await leases.acquire(aName(), { signal: soon() })),
  'lease bodies': () => leases.with(aName(), { timeout: stuckMs, ttl: '10s' }, breath),
  // Renewed by itself, each 20 ms, and by hand.
  async renewals() {
    const lease = await leases.acquire(aName(), { ttl: 60, timeout: stuckMs });
    lease.signal.addEventListener('abort', () => undefined);
    await sleep(random() * 80);
    await lease.renew();
    await lease.release();
  },
  async 'detached leases'() {
    const lease = await leases.acquire(aName(), { detached: true, ttl: 200, timeout: stuckMs });
    if (random() < 0.5) await lease.renew();
    if (random() < 0.2) return; // left to its end
    const adopted = await leases.adopt(lease.name, lease.toJSON());
    await adopted.release();
  },
  async 'leases detached later'() {
    const lease = await leases.acquire(aName(), { timeout: stuckMs });
    await breath();
    await lease.detach({ ttl: 100 });
    if (random() < 0.8) await lease.release();
  },
  async 'forced breaks'() {
    const lease = await leases.acquire(aName(), { timeout: stuckMs });
    await leases.break(lease.name, { force: true });
    await lease.release();
  },
  async freezes() {
    const name = aName();
    await leases.freeze(name, { ttl: 50 });
    await breath();
    if (random() < 0.8) await leases.unfreeze(name);
  },
  inspections: () => leases.inspect(aName()),
  async lists() {
    for await (const info of leases.list('name 1')) void info.state;
  },
  sweeps: () => leases.sweep(),
};
/** These go through the whole folder. */
const rare = ['lists', 'sweeps'];

// What two who take from each other have to expect.
const codes = [
  ...['ERR_LOCK_TIMEOUT', 'ERR_LOCK_LOST', 'ERR_LOCK_HELD', 'ERR_LOCK_BUSY'],
  ...['ERR_LOCK_NOT_FOUND', 'ERR_LOCK_NOT_OWNER'],
];

serve({
  open(given, seed) {
    dir = given;
    random = generator(seed);
    leases = new Leases({ dir: join(dir, 'leases') });
  },

  async work(forMs) {
    const until = performance.now() + forMs;
    const done = {};
    const failures = [];
    const loop = async () => {
      while (performance.now() < until && failures.length < 5) {
        const what = pick(Object.keys(operations));
        if (rare.includes(what) && random() < 0.9) continue;
        try {
          await operations[what]();
        } catch (error) {
          if (error !== 'aborted' && !codes.includes(error.code)) {
            failures.push(`${what}: ${error.stack ?? error}`);
          }
        }
        done[what] = (done[what] ?? 0) + 1;
      }
    };
    await Promise.all(Array.from({ length: loops }, loop));
    return { operations: done, failures };
  },

  /** What was left to its end is over; what is left of it is removed. */
  async tidy() {
    await sleep(300);
    await leases.sweep();
  },

  settled,
});
