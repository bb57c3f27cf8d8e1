/** Courtesy towards waiters: how often one gets in beside a loop, and what the loop does for it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Test } from 'tap';

import { packageRoot, Peer } from './peer.js';
import { runTraced } from './strace.js';

/** Half of an even share would be 500; a noisy machine gets far more than this. */
export const fairShare = 50;

/** The hog takes the lock 1000 times for a millisecond; what a waiter gets meanwhile. */
export async function grantsBesideHog(
  t: Test,
  resource: string,
  root?: string,
): Promise<{ grants: number; worst: number }> {
  const [hog, waiter] = await Peer.startAll(t, 2, root === undefined ? {} : { root });
  if (hog === undefined || waiter === undefined) throw new Error('two peers were asked for');
  const hogs = { done: false };
  const hogging = hog.call('hog', resource, 1000, 1).then(() => {
    hogs.done = true;
  });
  let grants = 0;
  let worst = 0;
  for (;;) {
    const start = performance.now();
    const { id } = await waiter.lock(resource);
    if (hogs.done) break;
    grants++;
    worst = Math.max(worst, performance.now() - start);
    await waiter.release(id);
  }
  await hogging;
  return { grants, worst };
}

/**
 * Does a process that finds a waiter's letter at its release stay away before it locks again? This
 * is what the scheduler of an idle machine hides: there a woken waiter may get in anyway.
 */
export function staysAway(t: Test, resource: string, root = packageRoot): boolean {
  writeFileSync(resource, '');
  const library = pathToFileURL(join(root, 'lib/index.js')).href;
  const script = `
    import { openSync, writeSync } from 'node:fs';
    import { tryLock } from ${JSON.stringify(library)};
    const resource = ${JSON.stringify(resource)};
    tryLock(resource).release();
    const held = tryLock(resource);
    writeSync(openSync(resource + '.lock', 'r+'), 'q', 9);
    held.release();
    for (let i = 0; i < 20; i++) tryLock(resource).release();`;
  const { trace } = runTraced(t, script, { calls: 'nanosleep,clock_nanosleep' });
  // The first moments are over before strace has let the next call through; later ones are longer.
  return trace.some((line) => line.includes('nanosleep'));
}
