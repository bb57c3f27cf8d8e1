// Damaged files: record, guard, freeze and turnstile of a lease are damaged at random, and the whole
// API is let loose on them.
//
// The oracle reads the bytes in its own way (damages.mjs). It demands:
//
// - an error has a type and a code, whatever stands there
// - a record that is not whole keeps nobody out, and a whole one that is not forged does
// - a damaged freeze stops nobody
// - force makes room, always; no token is granted twice or goes back, a forged one aside
// - no descriptor is left open, and no file is left behind
//
// First a package that ignores checksums is tried: unless that is noticed, the rest proves nothing.
//
// Usage: run.mjs [--minutes N] [--files N] [--seed S]; it ends with the first of both limits.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { brokenPackage, campaignOptions, generator, library, testedRoot } from '../campaign.mjs';
import { damaged, isWhole } from './damages.mjs';

const options = campaignOptions(0.5, { files: { type: 'string', default: 'Infinity' } });
const { minutes, seed } = options;
const descriptors = () => readdirSync('/proc/self/fd').length;

async function damageTo(root, files, until) {
  const { Leases } = await library(root);
  const random = generator(seed);
  // Memory where there is some: what a sync costs is nothing to this campaign.
  const where = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const folder = mkdtempSync(join(where, 'holdfast-damage-'));
  const dir = join(folder, 'leases');
  const leases = new Leases({ dir });
  const total = { files: 0, ways: {}, errors: {}, granted: 0, faults: [] };
  const pick = (list) => list[Math.floor(random() * list.length)];

  /** What it answers; an error must be one of ours. */
  const answer = async (what, act) => {
    try {
      return await act();
    } catch (error) {
      const { code } = error;
      if (error.name !== 'LockError' || !/^ERR_LOCK_[A-Z_]+$/.test(code)) {
        total.faults.push(`${what}: ${error.stack}`);
      }
      total.errors[code] = (total.errors[code] ?? 0) + 1;
      return { code };
    }
  };

  const trial = async (name, last) => {
    const path = (suffix) => join(dir, `${name}.${suffix}`);
    const lease = await leases.acquire(name, { detached: true, ttl: '1h', timeout: 30_000 });
    const demand = (holds, what) => {
      if (!holds) total.faults.push(`${what}, after ${JSON.stringify(trace)}`);
    };
    const trace = {};
    demand(lease.token > last, `token ${lease.token} after ${last}`);
    const suffix = pick(['lock', 'lock', 'lock', 'guard', 'guard', 'freeze', 'queue']);
    if (suffix === 'freeze') await leases.freeze(name, { ttl: '1h' });
    if (suffix === 'queue' && !existsSync(path('queue'))) writeFileSync(path('queue'), '');
    const before = readFileSync(path(suffix));
    const others = ['lock', 'guard'].map((each) => readFileSync(path(each)));
    const { way, bytes } = damaged(before, random, others);
    writeFileSync(path(suffix), bytes);
    total.ways[way] = (total.ways[way] ?? 0) + 1;
    Object.assign(trace, { suffix, way, bytes: bytes.toString('latin1', 0, 300) });

    const same = bytes.equals(before);
    const whole = isWhole(bytes);
    const later = /^\s*\{\s*"holdfast"\s*:\s*0*([2-9]|\d\d)/.test(bytes.toString('latin1', 0, 64));
    const sidecar = bytes.toString('latin1', 0, 9) === 'holdfast1';

    await answer('inspect', () => leases.inspect(name));
    if (random() < 0.1) {
      await answer('list', async () => {
        for await (const info of leases.list())
          if (info.name === undefined) throw new Error('none');
      });
    }
    if (random() < 0.1) await answer('sweep', () => leases.sweep());
    if (random() < 0.1) await answer('renew', () => lease.renew());
    const untouched = suffix === 'lock' && readFileExists(path('lock'))?.equals(bytes);
    const taken = await answer('tryAcquire', () => leases.tryAcquire(name, { ttl: '1h' }));
    if (untouched && !same && !whole && !later && !sidecar) {
      demand(taken !== null && taken.code === undefined, 'a damaged record keeps others out');
    }
    if (suffix !== 'lock' && suffix !== 'freeze') demand(taken === null, 'a whole record is taken');
    if (same) demand(taken === null, 'an undamaged record is taken');
    let highest = lease.token;
    if (taken?.token !== undefined) {
      demand(taken.token > highest, `token ${taken.token} after ${highest}`);
      highest = taken.token;
      await answer('release', () => taken.release());
    }
    await answer('release of the lost one', () => lease.release());
    await answer('break', () => leases.break(name, { stale: true }));
    await answer('unfreeze', () => leases.unfreeze(name));
    const forced = await answer('force', () => leases.break(name, { force: true }));
    if (forced?.code === 'ERR_LOCK_HELD' && sidecar) rmSync(path('lock'));
    const next = await answer('next', () => leases.tryAcquire(name));
    demand(next !== null && next.code === undefined, `force made no room: ${next?.code ?? 'held'}`);
    if (next?.token !== undefined) {
      total.granted++;
      demand(next.token > highest, `token ${next.token} after ${highest}`);
      highest = next.token;
      demand((await next.release()) === 'released', 'released');
    }
    const left = readdirSync(dir).filter((file) => /\.(lock|freeze|new)$/.test(file));
    demand(left.length === 0, `left over: ${left.join(', ')}`);
    // A forged token is a token: the counter goes on above it, and a damaged guard forgets that.
    return way === 'forge' || way === 'paste' ? undefined : highest;
  };

  const opened = descriptors();
  try {
    for (let last, name; total.files < files && performance.now() < until; total.files++) {
      if (total.faults.length > 20) break;
      if (last === undefined || total.files % 50 === 0) {
        rmSync(dir, { recursive: true, force: true });
        name = `name${total.files}`;
        last = 0n;
      }
      last = await trial(name, last);
    }
    if (descriptors() > opened + 4)
      total.faults.push(`${descriptors()} descriptors, not ${opened}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return total;
}

function readFileExists(path) {
  return existsSync(path) ? readFileSync(path) : undefined;
}

const broken = brokenPackage({
  file: 'lib/envelope.js',
  from: 'if (digits !== checksum(unstamped))',
  to: 'if (false)',
});
try {
  const { faults, files } = await damageTo(broken.root, 2000, performance.now() + 60_000);
  const caught = faults.some((fault) => fault.startsWith('a damaged record keeps others out'));
  console.log(`checksums ignored: ${caught ? 'caught' : 'NOT caught'} within ${files} files`);
  if (!caught) process.exitCode = 1;
} finally {
  broken.remove();
}
const until = performance.now() + minutes * 60_000;
const { files, ways, errors, granted, faults } = await damageTo(
  testedRoot,
  Number(options.files),
  until,
);
for (const fault of faults.slice(0, 20)) console.log(`  ${fault}`);
const counts = (of) =>
  Object.entries(of)
    .map(([what, count]) => `${what} ${count}`)
    .join(', ');
console.log(`  ${counts(ways)}\n  ${counts(errors)}`);
console.log(
  `damage: seed ${seed}, ${files} files, ${granted} grants after force, ${faults.length} faults`,
);
if (faults.length > 0 || files === 0) process.exitCode = 1;
