// Clocks: while leases are held, renewed and waited for, the wall clock of some of the processes jumps,
// by 1 ms to 10 years either way, and runs at 0.1 to 100 times its rate.
//
// The oracle is this program's monotonic clock, which nobody touches. It knows the latest moment at
// which a holder may have asked for its TTL, and the earliest: nobody else may be granted the lease
// before that TTL is over (an early break), and somebody who waits has it soon after (or it is
// immortal).
//
// First a package that judges every TTL by the wall clock is tried: unless that is noticed, the rest
// proves nothing.
//
// Usage: run.mjs [--minutes N] [--jumps N] [--seed S]; it ends with the first of both limits.
import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { brokenPackage, campaignOptions, generator, testedRoot } from '../campaign.mjs';
import { LeaseProcess } from '../lease-process.mjs';

const options = campaignOptions(0.5, { jumps: { type: 'string', default: 'Infinity' } });
const { minutes, seed } = options;
const random = generator(seed);
const decadeMs = 3652 * 86_400_000;
const immortalMs = 20_000;
const names = 6;

const faketime = readdirSync('/usr/lib')
  .map((folder) => join('/usr/lib', folder, 'faketime/libfaketimeMT.so.1'))
  .find((path) => {
    try {
      return readdirSync(join(path, '..')).includes('libfaketimeMT.so.1');
    } catch {
      return false;
    }
  });

/** Another wall clock from now on: off by so much, and faster or slower. */
function jump(file) {
  const offset = Math.exp(random() * Math.log(decadeMs)) * (random() < 0.5 ? -1 : 1);
  const rate = random() < 0.5 ? 1 : 10 ** (random() * 3 - 1);
  const text = `${offset < 0 ? '' : '+'}${(offset / 1000).toFixed(3)}`;
  // At once, for it is read at every look at the clock.
  writeFileSync(`${file}.new`, `${text} x${rate.toFixed(3)}\n`);
  renameSync(`${file}.new`, file);
}

async function clocksOf(root, jumps, until) {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-clocks-'));
  const file = join(folder, 'clock');
  writeFileSync(file, '+0 x1\n');
  const env = {
    LD_PRELOAD: faketime,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    DONT_FAKE_MONOTONIC: '1',
    NO_FAKE_STAT: '1',
  };
  const dir = join(folder, 'leases');
  const odd = new LeaseProcess(root, dir, env);
  const plain = new LeaseProcess(root, dir);
  const total = { jumps: 0, leases: 0, renewals: 0, slowest: 0, faults: [] };

  const trial = async (holder, other, name) => {
    const ttl = 50 + Math.floor(random() * 400);
    const detached = random() < 0.5;
    const what = `${detached ? 'detached' : 'attached'}, TTL of ${ttl} ms`;
    let from = performance.now();
    const lease = await holder.call('acquire', name, { ttl, detached, renew: false });
    total.leases++;
    // From here on it may end, if nobody renews it.
    let to = performance.now();
    let granted;
    const waits = other.call('acquire', name, { timeout: immortalMs }).then(
      (next) => {
        granted = performance.now();
        return next;
      },
      (error) => error,
    );
    for (
      let renewals = Math.floor(random() * 4);
      renewals > 0 && granted === undefined;
      renewals--
    ) {
      await sleep(ttl * random() * 0.8);
      const asked = performance.now();
      try {
        await holder.call('renew', lease.key);
      } catch (error) {
        if (error.code !== 'ERR_LOCK_LOST') throw error;
        break; // it came too late; whether that is so is judged below
      }
      total.renewals++;
      // Granted to the other just before it was renewed? Then the renewal would have failed.
      from = asked;
      to = performance.now();
    }
    const next = await waits;
    if (granted === undefined) {
      total.faults.push(`${what}: immortal, ${next.code ?? next.message}`);
      return;
    }
    if (granted < from + ttl)
      total.faults.push(`${what}: broken after ${(granted - from).toFixed(1)} ms`);
    total.slowest = Math.max(total.slowest, granted - to - ttl);
    await other.call('release', next.key);
    await holder.call('release', lease.key);
  };

  try {
    await Promise.all([odd.ready, plain.ready]);
    let over = false;
    const jumping = (async () => {
      for (; !over; total.jumps++) {
        await sleep(5 + random() * 60);
        jump(file);
      }
    })();
    const going = () =>
      total.jumps < jumps && performance.now() < until && total.faults.length === 0;
    const loops = Array.from({ length: names }, async (_, i) => {
      const [holder, other] = [
        [odd, plain],
        [plain, odd],
        [odd, odd],
      ][i % 3];
      while (going()) await trial(holder, other, `name ${i}`);
    });
    try {
      await Promise.all(loops);
    } finally {
      over = true;
      await jumping;
    }
  } finally {
    await Promise.all([odd.kill(), plain.kill()]);
    rmSync(folder, { recursive: true });
  }
  return total;
}

if (faketime === undefined) {
  console.log('clocks: SKIPPED, libfaketime is not installed');
} else {
  const broken = brokenPackage({
    file: 'lib/expiry.js',
    from: "return { leftMs: deadline - now[clock], judge: 'boot' };",
    to: "return { leftMs: expires - now.wallMs, judge: 'wall' };",
  });
  try {
    const planted = await clocksOf(broken.root, 2000, performance.now() + 60_000);
    const caught = planted.faults.length > 0;
    const verdict = caught ? `caught (${planted.faults[0]})` : 'NOT caught';
    console.log(`TTLs by the wall clock: ${verdict} after ${planted.jumps} jumps`);
    if (!caught) process.exitCode = 1;
  } finally {
    broken.remove();
  }
  const until = performance.now() + minutes * 60_000;
  const { jumps, leases, renewals, slowest, faults } = await clocksOf(
    testedRoot,
    Number(options.jumps),
    until,
  );
  for (const fault of faults.slice(0, 20)) console.log(`  ${fault}`);
  console.log(
    `clocks: seed ${seed}, ${jumps} jumps, ${leases} leases, ${renewals} renewals, ` +
      `granted ${slowest.toFixed(0)} ms after the end of a TTL at most, ${faults.length} faults`,
  );
  if (faults.length > 0 || jumps === 0 || leases === 0) process.exitCode = 1;
}
