// What must not grow: descriptors, threads, memory.
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const count = (folder) => readdirSync(folder).length;

/** Numbers as they are now; memory in bytes, `heap` with all that belongs to JavaScript. */
export function measure() {
  const { rss, heapUsed, external } = process.memoryUsage();
  return {
    descriptors: count('/proc/self/fd'),
    threads: count('/proc/self/task'),
    rss,
    heap: heapUsed + external,
  };
}

/** The same when nothing is under way any more: threads have left, garbage is collected. */
export async function settled() {
  let last = Infinity;
  for (let tries = 0; tries < 50; tries++) {
    // Finalizers run after a collection, and make garbage themselves.
    globalThis.gc();
    await sleep(20);
    const { threads, descriptors } = measure();
    if (threads + descriptors === last && tries > 2) break;
    last = threads + descriptors;
  }
  globalThis.gc();
  return measure();
}
