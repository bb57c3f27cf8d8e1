/**
 * Once a second every attached lease of this thread is looked after: does its name still name it? One
 * timer for all of them, which does not keep the program alive.
 */
const everyMs = 1000;

/** Something to look after. */
export interface Watched {
  lookAfter(): void;
}

const watched = new Set<Watched>();
let timer: NodeJS.Timeout | undefined;

export function watch(lease: Watched): void {
  watched.add(lease);
  timer ??= setInterval(lookAfterAll, everyMs).unref();
}

export function unwatch(lease: Watched): void {
  watched.delete(lease);
}

function lookAfterAll(): void {
  // Here and not at the last unwatch: a timer costs more than a lease that comes and goes.
  if (watched.size === 0) {
    clearInterval(timer);
    timer = undefined;
  }
  for (const lease of watched) lease.lookAfter();
}
