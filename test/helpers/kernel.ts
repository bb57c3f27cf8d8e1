/** What the kernel says, for tests that must not take the library's word. Linux only. */
import { readdirSync, readFileSync, statSync } from 'node:fs';

/** How many requests for a flock on this file are blocked now: proc(5), /proc/locks. */
export function blockedOn(path: string): number {
  const inode = statSync(path).ino;
  return readFileSync('/proc/locks', 'utf8')
    .split('\n')
    .filter((line) => line.includes('->') && line.includes('FLOCK') && line.includes(`:${inode} `))
    .length;
}

/** Resolves when `count` requests are blocked. */
export async function untilBlocked(path: string, count = 1): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (blockedOn(path) < count) {
    if (performance.now() > deadline) throw new Error(`not ${count} waiters on ${path}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** What must not grow. */
export function resources(): { threads: number; descriptors: number } {
  return {
    threads: readdirSync('/proc/self/task').length,
    descriptors: readdirSync('/proc/self/fd').length,
  };
}

/** Resolves to the resources once they are back to `before`, or to what is left after a while. */
export async function settledResources(
  before: ReturnType<typeof resources>,
): Promise<ReturnType<typeof resources>> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const now = resources();
    const settled = now.threads <= before.threads && now.descriptors <= before.descriptors;
    if (settled || performance.now() > deadline) return now;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
