/** The oracle of exclusion: exact counts, unique values, and intervals that do not overlap. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';

import type { LockOptions } from '../../lib/index.js';
import type { Counted, Peer } from './peer.js';

export const full = process.env['HOLDFAST_FULL'] === '1';

/** All mutants (`npm run test:mutants`), not only a few that show that the tests can fail. */
export const everyMutant = full || process.env['HOLDFAST_MUTANTS'] === '1';

/** Pairs of critical sections that overlapped in time. */
export function overlaps(intervals: [number, number][]): number {
  const sorted = [...intervals].sort((a, b) => a[0] - b[0]);
  let end = -Infinity;
  let count = 0;
  for (const [start, stop] of sorted) {
    if (start < end) count++;
    end = Math.max(end, stop);
  }
  return count;
}

export interface Verdict {
  kept: number;
  unique: number;
  overlapping: number;
}

/** All peers at once add to one file; what came of it. */
export async function countTogether(
  file: string,
  peers: Peer[],
  times: number,
  options?: LockOptions & { unlink?: boolean },
): Promise<Verdict> {
  writeFileSync(file, '0');
  const results: Counted[] = await Promise.all(peers.map((p) => p.count(file, times, options)));
  return {
    kept: Number(readFileSync(file, 'utf8')),
    unique: new Set(results.flatMap((r) => r.values)).size,
    overlapping: overlaps(results.flatMap((r) => r.intervals)),
  };
}

export async function assertExact(
  t: Test,
  peers: Peer[],
  times: number,
  options?: LockOptions & { unlink?: boolean },
): Promise<void> {
  const expected = peers.length * times;
  const verdict = await countTogether(join(t.testdir(), 'counter'), peers, times, options);
  t.strictSame(
    verdict,
    { kept: expected, unique: expected, overlapping: 0 },
    `${peers.length} x ${times} = ${expected}`,
  );
}
