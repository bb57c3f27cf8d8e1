// One process with very many locks: ten thousand leases held at once, a thousand waits at once. What they
// cost is told; what is left of them afterwards (descriptors, threads, memory) is what is judged.
import { watch } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { endWithCampaign, library } from '../campaign.mjs';
import { serve } from '../../test/fixtures/serve.mjs';
import { measure, settled } from './measure.mjs';

const { Leases, lock } = await library();
let folder;
let leases;
let pending;

endWithCampaign();

const ms = (since) => performance.now() - since;

serve({
  open(given) {
    folder = given;
    leases = new Leases({ dir: join(folder, 'leases') });
    watch(folder).close(); // libuv keeps a descriptor from the first watch on
  },

  /** Takes so many names, holds them together, lists them, gives them back, and sweeps. */
  async names(count, lookMs) {
    const before = await settled();
    const held = [];
    let since = performance.now();
    for (let i = 0; i < count; i++) held.push(await leases.acquire(`name ${i}`));
    const grantMs = ms(since);
    const together = measure();
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    await sleep(lookMs);
    delay.disable();
    since = performance.now();
    let listed = 0;
    for await (const { state } of leases.list()) if (state === 'held') listed++;
    const listMs = ms(since);
    since = performance.now();
    for (const lease of held.splice(0)) await lease.release();
    const releaseMs = ms(since);
    since = performance.now();
    const swept = (await leases.sweep()).length;
    const sweepMs = ms(since);
    const times = { grantMs, listMs, releaseMs, sweepMs, lookMs: delay.max / 1e6 };
    return { before, together, after: await settled(), listed, swept, ...times };
  },

  /** Begins so many waits: for one lock or one each, file locks or leases. */
  async wait(kind, alone, count) {
    const before = await settled();
    const granted = { last: 0 };
    const one = async (i) => {
      const name = `wait ${alone ? 0 : i}`;
      const options = { timeout: 120_000 };
      const held =
        kind === 'lease'
          ? await leases.acquire(name, options)
          : await lock(join(folder, 'files', name), options);
      await held.release();
      granted.last = performance.timeOrigin + performance.now();
    };
    const all = Promise.all(Array.from({ length: count }, (_, i) => one(i)));
    pending = { before, granted, all };
    all.catch(() => undefined);
    let waiting = measure();
    for (let last = -1; waiting.threads !== last; waiting = measure()) {
      last = waiting.threads;
      await sleep(300);
    }
    return { before, waiting };
  },

  /** When the last of them was served, and what is left. */
  async served() {
    const { granted, all } = pending;
    await all;
    return { last: granted.last, after: await settled() };
  },
});
