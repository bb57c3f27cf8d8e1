// The book of the oracle, as oracle.h lays it out, for those who only read it.
import { readFileSync, writeFileSync } from 'node:fs';

/** Locks 0 to 3 are file locks, 4 to 7 leases. */
export const files = 4;
export const names = 8;

const holders = 64;
const counters = [
  ...['files', 'attached', 'detached', 'overlaps', 'regressions', 'failures', 'stuck', 'late'],
  ...['timeouts', 'longestNs', 'slow', 'killedIdle', 'killedAsking', 'killedInside'],
  ...['killedReleasing', 'threads', 'told'],
];
const nameFields = ['highest', 'promised', 'began', 'ended', 'count'];
const words = counters.length + names * nameFields.length + holders * 2;

export function newBook(path) {
  writeFileSync(path, Buffer.alloc(words * 8));
}

/** All that stands there; `lost` are the updates that are missing, `faults` all faults together. */
export function readBook(path) {
  const bytes = readFileSync(path);
  const word = (index) => bytes.readBigUInt64LE(index * 8);
  const book = Object.fromEntries(counters.map((name, i) => [name, Number(word(i))]));
  book.names = Array.from({ length: names }, (_, i) => {
    const start = counters.length + i * nameFields.length;
    return Object.fromEntries(nameFields.map((field, j) => [field, word(start + j)]));
  });
  // Whoever is killed between the update and `ended` leaves one that was only begun. Whoever is in
  // the midst of it now, too: this is exact when nobody is left.
  book.lost = book.names
    .map(({ ended, count }) => Number(ended > count ? ended - count : 0n))
    .reduce((a, b) => a + b);
  book.kills = book.killedIdle + book.killedAsking + book.killedInside + book.killedReleasing;
  book.acquisitions = book.files + book.attached + book.detached;
  book.faults = book.overlaps + book.regressions + book.failures + book.stuck;
  return book;
}
