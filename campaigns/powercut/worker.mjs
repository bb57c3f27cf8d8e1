// Takes leases as fast as it can, and says so, in a log on another filesystem, before it goes on.
// Usage: worker.mjs FOLDER LOG SEED; then "hello", "check" or "work" on its input.
import { openSync, readdirSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

import { generator } from '../../test/fixtures/random.mjs';

const { Leases } = await import(pathToFileURL(`${process.env.HOLDFAST_PACKAGE}/lib/index.js`));
const [dir, path, seed] = process.argv.slice(2);
const random = generator(Number(seed));
const leases = new Leases({ dir });
const names = ['a', 'b', 'c', 'd'];

/** What is there; and the token that each name has next, with everything swept away after it. */
async function check() {
  const infos = [];
  for await (const { name, state, why, kind, token } of leases.list()) {
    infos.push({ name, state, why, kind, token: token === null ? null : String(token) });
  }
  const next = {};
  for (const name of names) {
    const held = infos.find((info) => info.name === name)?.state === 'held';
    if (held) await leases.break(name, { force: true });
    const lease = await leases.acquire(name, { timeout: 30_000 });
    next[name] = String(lease.token);
    await lease.release();
  }
  await leases.sweep();
  const left = readdirSync(dir).filter((file) => !/\.(guard|queue)$/.test(file));
  console.log(JSON.stringify({ infos, next, left }));
}

async function work() {
  const log = openSync(path, 'a');
  const say = (what, { name, token }) => writeSync(log, `${what} ${name} ${token}\n`);
  const kept = new Map();
  for (;;) {
    const name = names[Math.floor(random() * names.length)];
    const mine = kept.get(name);
    if (mine !== undefined) {
      if (random() < 0.5) {
        await mine.renew();
      } else {
        kept.delete(name);
        say('giving', mine);
        await mine.release();
      }
      continue;
    }
    const detached = random() < 0.4;
    const ttl = random() < 0.5 || detached ? '1h' : undefined;
    const lease = await leases.tryAcquire(name, { detached, ttl, renew: false });
    if (lease === null) continue;
    say(detached ? 'detached' : 'attached', lease);
    if (detached) {
      kept.set(name, lease);
    } else if (random() < 0.2) {
      await lease.detach({ ttl: '1h' });
      say('detach', lease);
      kept.set(name, lease);
    } else {
      if (ttl !== undefined && random() < 0.3) await lease.renew();
      await lease.release();
    }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'check') await check();
  else if (line === 'hello') console.log('true');
  // The medium is gone; the campaign ends us.
  else work().catch(() => setInterval(() => undefined, 1000));
}
