/** What the kernel says, for tests that must not take the library's word. Linux only. */
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';

/**
 * The least of three counts of /proc/locks. The file is read page by page, and where locks come and
 * go meanwhile a line may be there twice: a test would believe somebody to wait who does not yet.
 */
function countLocks(counts: (line: string) => boolean): number {
  const reading = (): number =>
    readFileSync('/proc/locks', 'utf8')
      .split('\n')
      .filter((line) => line.includes('FLOCK') && counts(line)).length;
  return Math.min(reading(), reading(), reading());
}

/** How many requests for a flock on this file are blocked now: proc(5), /proc/locks. */
export function blockedOn(path: string): number {
  const inode = statSync(path).ino;
  return countLocks((line) => line.includes('->') && line.includes(`:${inode} `));
}

/** Resolves when `count` requests are blocked. */
export async function untilBlocked(path: string, count = 1): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (blockedOn(path) < count) {
    if (performance.now() > deadline) throw new Error(`not ${count} waiters on ${path}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/**
 * Resolves when so many processes stand in line for the lease whose files begin with `base`. The first
 * of them holds the turnstile, the others wait for it.
 */
export async function untilInLine(
  base: string,
  processes: number,
  suffices = (inLine: number): boolean => inLine >= processes,
): Promise<void> {
  const queue = `${base}.queue`;
  const deadline = performance.now() + 30_000;
  for (;;) {
    const inode = existsSync(queue) ? statSync(queue).ino : -1;
    if (suffices(countLocks((line) => line.includes(`:${inode} `)))) return;
    if (performance.now() > deadline) throw new Error(`not ${processes} in line for ${base}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** How many descriptors of this process are open on what has, or had, this path. */
export function openOn(path: string): number {
  const links = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return []; // that of the folder itself
    }
  });
  return links.filter((link) => link === path || link === `${path} (deleted)`).length;
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
