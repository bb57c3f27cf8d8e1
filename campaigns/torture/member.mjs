// A Node process that takes locks through the library until it is killed: worker threads that take
// file locks and leases, and one after the other is terminated and followed by a new one.
//
// Usage: member.mjs FOLDER WITNESS BOOK SEED
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, threadId, Worker } from 'node:worker_threads';

import { endWithCampaign, generator, library } from '../campaign.mjs';
import { files, names } from './book.mjs';

const [folder, addon, book, seed] = process.argv.slice(2);
const threads = 3;
const loops = 2; // of each thread, at the same time
const briefMs = 60;
const stuckMs = 20_000;

async function conduct() {
  endWithCampaign();
  const random = generator(Number(seed));
  const witness = createRequire(import.meta.url)(addon);
  witness.open(book);
  const start = () => new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) });
  const crew = Array.from({ length: threads }, start);
  for (;;) {
    await sleep(random() * 1000);
    const [victim] = crew.splice(Math.floor(random() * threads), 1);
    await victim.terminate();
    witness.terminated();
    crew.push(start());
  }
}

async function work() {
  const random = generator(Number(seed) + threadId);
  const { Leases, lock, lockSync, tryLock } = await library();
  const witness = createRequire(import.meta.url)(addon); // after the library: see witness.cc
  witness.open(book);
  const leases = new Leases({ dir: join(folder, 'leases') });
  const dawdle = () => (random() < 0.5 ? new Promise(setImmediate) : undefined);

  const expected = (error) =>
    error.code === 'ERR_LOCK_TIMEOUT' || error.code === 'ERR_LOCK_HELD' || error === 'aborted';

  /** Options of a wait that ends: with the lock, after a while, by an abort, or when it is stuck. */
  const patience = () => {
    const how = random();
    if (how < 0.2) return { timeout: random() * 20 };
    if (how > 0.4) return { timeout: stuckMs };
    const controller = new AbortController();
    setTimeout(() => controller.abort('aborted'), random() * 20);
    return { signal: controller.signal };
  };

  async function fileTurn(stay, name) {
    const resource = join(folder, 'files', String(name));
    const since = witness.now();
    const how = random();
    let held = null;
    if (how < 0.3) held = tryLock(resource);
    else if (how < 0.4) held = lockSync(resource, { timeout: random() * 10 });
    else held = await lock(resource, patience());
    if (held === null) return;
    witness.enter(stay, name, 0n, since);
    await dawdle();
    held.assertHeld();
    witness.leave(stay);
    held.release();
  }

  async function leaseTurn(stay, name) {
    const since = witness.now();
    const ttl = random() < 0.5 ? { ttl: '1h' } : {};
    const options = random() < 0.5 ? { ...ttl, renew: false } : ttl;
    const lease =
      random() < 0.3
        ? await leases.tryAcquire(String(name), options)
        : await leases.acquire(String(name), { ...options, ...patience() });
    if (lease === null) return;
    witness.enter(stay, name, lease.token, since);
    await dawdle();
    if (random() < 0.3) await lease.renew();
    if (random() < 0.3) lease.assertHeld();
    witness.leave(stay);
    if ((await lease.release()) !== 'released') witness.failed('lost', name);
  }

  async function detachedTurn(stay, name) {
    const promise = witness.now() + BigInt(briefMs) * 1_000_000n;
    const options = { detached: true, ttl: briefMs };
    const lease = await leases.tryAcquire(String(name), options);
    if (lease === null) return;
    if (!witness.enterDetached(stay, name, lease.token, promise)) return;
    await dawdle();
    if (random() < 0.1) {
      witness.abandon(stay);
      return;
    }
    witness.leave(stay);
    const outcome = await lease.release();
    if (outcome !== 'released' && witness.now() < promise) witness.failed('lost', name);
  }

  async function loop(stay) {
    for (;;) {
      const name = Math.floor(random() * names);
      const begun = performance.now();
      try {
        if (name < files) await fileTurn(stay, name);
        else if (random() < 0.9) await leaseTurn(stay, name);
        else await detachedTurn(stay, name);
      } catch (error) {
        const timedOut = error.code === 'ERR_LOCK_TIMEOUT';
        if (timedOut && performance.now() > begun + stuckMs) {
          witness.failed('a wait without end', name);
        } else if (!expected(error)) {
          console.error(error);
          witness.failed(String(error.code ?? error.name), name);
        } else if (timedOut) {
          witness.timedOut();
        }
      }
      if (random() < 0.1) await sleep(random() * 5);
    }
  }
  for (let i = 0; i < loops; i++) void loop(i);
}

if (isMainThread) await conduct();
else await work();
