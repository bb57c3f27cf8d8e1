/**
 * One of the processes that count in one file: lock, read, add one, write, release. Every turn is
 * a chance to lose an increment, if the lock lets two in.
 *
 * Begins at the given time, so that all of them begin together, and goes on so many times or
 * milliseconds; answers when it began and ended, and how many turns it had.
 */
import { openSync, readSync, writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import { now, serve } from '../lib/serve.mjs';

const [module, file, counter] = process.argv.slice(2);
const { acquire, release } = await import(module);
const fd = openSync(counter, 'r+');
const digits = Buffer.alloc(16);

function addOne() {
  readSync(fd, digits, 0, digits.length, 0);
  const next = Number(digits.toString('latin1')) + 1;
  digits.write(String(next).padStart(digits.length, '0'), 'latin1');
  writeSync(fd, digits, 0, digits.length, 0);
}

serve(async ({ times, start, milliseconds = Infinity }) => {
  await delay(Math.max(0, (start - Number(now())) / 1e6));
  const began = now();
  const end = Number(began) + milliseconds * 1e6;
  let done = 0;
  // Infinity does not survive the way here: it arrives as null.
  while (done < (times ?? Infinity) && Number(now()) < end) {
    const held = await acquire(file);
    addOne();
    await release(held);
    done++;
  }
  return [Number(began), Number(now()), done];
});
