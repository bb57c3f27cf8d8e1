/**
 * One of two processes that take turns on a lock. It asks, holds for two milliseconds, releases,
 * and asks again a millisecond later, when the other one has been granted the lock: so it stands
 * blocked for about a millisecond before the other one releases. Both processes are idle then, as
 * processes that wait for a lock usually are.
 *
 * Answers asked, granted and released of every hold, one after the other, in nanoseconds.
 */
import { setTimeout as delay } from 'node:timers/promises';

import { now, serve } from '../lib/serve.mjs';

const [module, file] = process.argv.slice(2);
const { acquire, release } = await import(module);

serve(async ({ holds, milliseconds }) => {
  const stamps = [];
  const end = now() + BigInt(milliseconds) * 1_000_000n;
  for (let i = 0; i < holds && now() < end; i++) {
    await delay(1);
    const asked = now();
    const held = await acquire(file);
    const granted = now();
    await delay(2);
    const released = now();
    await release(held);
    stamps.push(asked, granted, released);
  }
  return stamps.map(Number);
});
