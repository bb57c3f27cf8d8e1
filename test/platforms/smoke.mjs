// What a platform has to do before it is called supported, without a test runner: it runs in
// runtimes, and under emulators, where tap does not. Every check has its own folder; the first one
// that fails ends the program with the code 1.
//
//   node test/platforms/smoke.mjs [--rounds N]      counters: 4 processes, N rounds each
//
// HOLDFAST_PACKAGE names another package than this one: where it is installed, say.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { Child, importLibrary } from './child.mjs';

const { Leases, holderOf, lock, lockPathFor, tryLock, withLock } = await importLibrary();

const { rounds } = parseArgs({ options: { rounds: { type: 'string', default: '100' } } }).values;
/** No limit that is tested; what is waited for comes much sooner, on a slow emulator too. */
const patience = 60_000;
const children = 4;

const code = (expected) => (error) => error.code === expected;

/** All of them at once add to one number; `add` does it once, for one of them. */
async function count(file, count, add) {
  writeFileSync(file, '0');
  const increase = () => {
    const value = Number(readFileSync(file, 'utf8')) + 1;
    writeFileSync(file, String(value));
  };
  await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      for (let round = 0; round < Number(rounds); round++) await add(index, increase);
    }),
  );
  assert.equal(Number(readFileSync(file, 'utf8')), count * Number(rounds));
}

const checks = {
  async 'a lock excludes its own process, until it is released'(folder) {
    const held = await lock(join(folder, 'data'));
    assert.equal(tryLock(join(folder, 'data')), null);
    held.release();
    assert.equal(await withLock(join(folder, 'data'), (again) => again.held), true);
  },

  async 'a lock excludes other processes; a name outside of ASCII'(folder, start) {
    const path = join(folder, 'Zähler ロック 🔒');
    const peer = await start('peer.mjs');
    const { id } = await peer.call('lock', path);
    assert.equal(tryLock(path), null);
    assert.equal(holderOf(path).pid, peer.target.pid);
    await peer.call('release', id);
    tryLock(path).release();
  },

  async 'a wait ends at its time limit, and at an abort'(folder, start) {
    const path = join(folder, 'data');
    const peer = await start('peer.mjs');
    await peer.call('lock', path);
    await assert.rejects(lock(path, { timeout: 50 }), code('ERR_LOCK_TIMEOUT'));
    const controller = new AbortController();
    const wait = lock(path, { signal: controller.signal });
    setTimeout(() => controller.abort(new Error('enough')), 50);
    await assert.rejects(wait, /enough/);
  },

  async 'the death of a holder frees its lock, and is told'(folder, start) {
    const path = join(folder, 'data');
    const peer = await start('peer.mjs');
    await peer.call('lock', path);
    const wait = lock(path, { timeout: patience });
    await peer.end();
    const held = await wait;
    assert.equal(held.previous.pid, peer.target.pid);
    held.release();
  },

  async 'the end of a worker thread frees its lock'(folder, start) {
    const path = join(folder, 'data');
    const peer = await start('peer.mjs', { thread: true });
    await peer.call('lock', path);
    assert.equal(tryLock(path), null);
    await peer.end();
    (await lock(path, { timeout: patience })).release();
  },

  async 'a sidecar can be read while it is locked, and a resource written'(folder, start) {
    const path = join(folder, 'data');
    const peer = await start('peer.mjs');
    await peer.call('lock', path);
    assert.match(readFileSync(lockPathFor(path), 'latin1'), /^holdfast1/);
    writeFileSync(path, 'by the way');
  },

  async 'shared holders are together, and keep an exclusive one out'(folder, start) {
    const path = join(folder, 'data');
    const peer = await start('peer.mjs');
    const { id } = await peer.call('lock', path, { shared: true });
    const shared = tryLock(path, { shared: true });
    assert.ok(shared);
    shared.release();
    assert.equal(tryLock(path), null);
    await peer.call('release', id);
  },

  async 'a counter under a lock is exact'(folder, start) {
    const path = join(folder, 'counter');
    const peers = await Promise.all(Array.from({ length: children }, () => start('peer.mjs')));
    writeFileSync(path, '0');
    const told = await Promise.all(peers.map((peer) => peer.call('count', path, Number(rounds))));
    const expected = children * Number(rounds);
    assert.equal(Number(readFileSync(path, 'utf8')), expected);
    assert.equal(new Set(told.flatMap(({ values }) => values)).size, expected);
  },

  async 'a lease is free at once when its holder dies, and its token rises'(folder, start) {
    const leases = new Leases({ dir: folder });
    const peer = await start('lease-peer.mjs');
    await peer.call('open', { leases: { dir: folder } });
    const before = await peer.call('acquire', 'Übung', { ttl: 600_000 });
    assert.equal(await leases.tryAcquire('Übung'), null);
    const info = await leases.inspect('Übung');
    assert.equal(info.id, before.id);
    await peer.end();
    const lease = await leases.acquire('Übung', { timeout: patience });
    assert.ok(lease.token > BigInt(before.token), `${lease.token} after ${before.token}`);
    assert.equal(await lease.release(), 'released');
  },

  async 'a lease is free when its worker thread ends'(folder, start) {
    const leases = new Leases({ dir: folder });
    const peer = await start('lease-peer.mjs', { thread: true });
    await peer.call('open', { leases: { dir: folder } });
    await peer.call('acquire', 'job');
    assert.equal(await leases.tryAcquire('job'), null);
    await peer.end();
    await (await leases.acquire('job', { timeout: patience })).release();
  },

  async 'a detached lease outlives its process, and can be adopted'(folder, start) {
    const leases = new Leases({ dir: folder });
    const peer = await start('lease-peer.mjs');
    await peer.call('open', { leases: { dir: folder } });
    const { id, token } = await peer.call('acquire', 'job', { detached: true, ttl: 600_000 });
    await peer.end();
    assert.equal(await leases.tryAcquire('job'), null);
    const adopted = await leases.adopt('job', { id, token });
    await adopted.renew();
    assert.equal(await adopted.release(), 'released');
    assert.equal(await leases.inspect('job'), null);
  },

  async 'a detached lease ends with its time; one that is broken is lost'(folder, start) {
    const leases = new Leases({ dir: folder });
    await leases.acquire('short', { detached: true, ttl: 50 });
    await (await leases.acquire('short', { timeout: patience })).release();
    const peer = await start('lease-peer.mjs');
    await peer.call('open', { leases: { dir: folder } });
    const { handle } = await peer.call('acquire', 'job');
    await leases.break('job', { force: true });
    assert.equal((await peer.call('lost', handle)).code, 'ERR_LOCK_LOST');
    assert.equal(await peer.call('release', handle), 'lost');
  },

  async 'a frozen name is not granted; sweep and list'(folder) {
    const leases = new Leases({ dir: folder });
    await leases.freeze('job', { ttl: 600_000 });
    await assert.rejects(leases.acquire('job', { timeout: 0 }), code('ERR_LOCK_FROZEN'));
    assert.equal(await leases.unfreeze('job'), true);
    const lease = await leases.acquire('job');
    const names = [];
    for await (const { name } of leases.list()) names.push(name);
    assert.deepEqual(names, ['job']);
    assert.deepEqual(await leases.sweep(), []);
    await lease.release();
  },

  async 'a counter under a lease is exact'(folder, start) {
    const peers = await Promise.all(
      Array.from({ length: children }, () => start('lease-peer.mjs')),
    );
    for (const peer of peers) await peer.call('open', { leases: { dir: folder } });
    const tokens = [];
    await count(join(folder, 'counter'), children, async (index, increase) => {
      const { handle, token } = await peers[index].call('acquire', 'job', { ttl: 600_000 });
      tokens.push(BigInt(token));
      increase();
      assert.equal(await peers[index].call('release', handle), 'released');
    });
    const sorted = [...tokens].sort((a, b) => (a < b ? -1 : 1));
    assert.deepEqual(tokens, sorted, 'tokens rise');
    assert.equal(new Set(tokens).size, tokens.length);
  },
};

async function run(check) {
  const started = [];
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-smoke-'));
  mkdirSync(folder, { recursive: true });
  try {
    await check(folder, async (...args) => {
      const child = await Child.start(...args);
      started.push(child);
      return child;
    });
  } finally {
    for (const child of started) await child.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

for (const [name, check] of Object.entries(checks)) {
  const start = performance.now();
  try {
    await run(check);
  } catch (error) {
    console.log(`not ok: ${name}\n${error.stack}`);
    process.exit(1);
  }
  console.log(`ok ${name} (${Math.round(performance.now() - start)} ms)`);
}
console.log(`${Object.keys(checks).length} checks passed`);
process.exit(0);
