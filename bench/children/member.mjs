/**
 * Holds, waits, or looks at what waiting does to the rest of the process, as it is told.
 *
 *   { acquire: file }       when it was granted, in nanoseconds
 *   { release }             when it began to give it back
 *   { hold: files }         takes all of them
 *   { wait: files }         begins to wait for each of them, and answers at once
 *   { open: fifo }          keeps the end of a pipe open for writing, until it dies
 *   { cpu }                 microseconds of CPU that it has used
 *   { stat: milliseconds }  latencies of fs.stat, one after the other; null if one does not come back
 *   { usage }               resident bytes, and threads
 */
import { openSync, readdirSync, stat } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import { now, serve } from '../lib/serve.mjs';

const contender = await import(process.argv[2]);
const held = [];
/** A stat that takes so long is one that waits for a lock. */
const lostMs = 2_000;

const verbs = {
  async acquire(file) {
    held.push(await contender.acquire(file));
    return Number(now());
  },
  async release() {
    const began = Number(now());
    await contender.release(held.pop());
    return began;
  },
  async hold(files) {
    for (const file of files) await verbs.acquire(file);
  },
  wait(files) {
    for (const file of files) contender.acquire(file).catch(() => {}); // it dies waiting
  },
  open(fifo) {
    openSync(fifo, 'w');
  },
  cpu() {
    const { user, system } = process.cpuUsage();
    return user + system;
  },
  async stat(milliseconds) {
    const latencies = [];
    const end = performance.now() + milliseconds;
    while (performance.now() < end) {
      const began = performance.now();
      const answer = new Promise((resolve) => stat('/', resolve));
      const lost = await Promise.race([answer, delay(lostMs, 'lost', { ref: false })]);
      if (lost === 'lost') return null;
      latencies.push((performance.now() - began) * 1000);
    }
    return latencies;
  },
  async usage() {
    for (let i = 0; i < 3; i++) {
      globalThis.gc();
      await delay(20);
    }
    const threads = process.platform === 'linux' ? readdirSync('/proc/self/task').length : null;
    return { resident: process.memoryUsage.rss(), threads };
  },
};

serve((request) => {
  const [[verb, argument]] = Object.entries(request);
  return verbs[verb](argument);
});
