/** The pauses between attempts. */
import fc from 'fast-check';
import t from 'tap';

import { backoff, type BackoffOptions } from '../lib/backoff.js';

function first(count: number, options?: BackoffOptions, random?: () => number): number[] {
  const pauses = backoff(options, random);
  return Array.from({ length: count }, () => pauses.next().value);
}

await t.test('10, 20, 40: at least 70 ms', async (t) => {
  t.strictSame(first(3, { initial: 10, factor: 2 }), [10, 20, 40]);
  t.strictSame(first(3), [10, 20, 40], 'the default');
});

await t.test('the limit', async (t) => {
  t.strictSame(first(5, { initial: 100, factor: 3, max: 500 }), [100, 300, 500, 500, 500]);
  t.strictSame(first(9).slice(-2), [1000, 1000], 'a second by default');
  t.strictSame(first(2, { initial: 5000 }), [5000, 5000], 'or the first pause');
  t.strictSame(first(3, { initial: 7, factor: 1 }), [7, 7, 7]);
  t.strictSame(first(2, { initial: 0 }), [0, 0], 'none at all');
  t.strictSame(first(3, { factor: 1e308, max: 20 }), [10, 20, 20], 'beyond what a number holds');
});

await t.test('jitter lengthens, by a share', async (t) => {
  const options = { initial: 10, factor: 2, max: 40, jitter: 0.5 };
  t.strictSame(
    first(4, options, () => 0),
    [10, 20, 40, 40],
  );
  t.strictSame(
    first(4, options, () => 0.5),
    [12.5, 25, 50, 50],
    'also at the limit: no herd',
  );
  const max = 2 ** 31 - 1;
  t.strictSame(
    first(1, { initial: max, jitter: 1 }, () => 1),
    [max],
    'never beyond a timer',
  );
});

await t.test(
  'any: from the pause without jitter to twice that, never shorter than before',
  async () => {
    const options = fc.record({
      initial: fc.integer({ min: 0, max: 1000 }),
      factor: fc.double({ min: 1, max: 100, noNaN: true }),
      max: fc.integer({ min: 1000, max: 100_000 }),
      jitter: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(options, fc.double({ min: 0, max: 1, noNaN: true }), (given, luck) => {
        const bare = first(20, { ...given, jitter: 0 });
        return first(20, given, () => luck).every((pause, at) => {
          const base = bare[at] ?? NaN;
          return (
            pause >= base && pause <= 2 * base && base >= (bare[at - 1] ?? 0) && base <= given.max
          );
        });
      }),
    );
  },
);

await t.test('misuse is told at once, not at the first pause', async (t) => {
  const impossible: BackoffOptions[] = [
    { initial: -1 },
    { initial: NaN },
    { initial: Infinity },
    { factor: 0.9 },
    { factor: NaN },
    { factor: Infinity },
    { max: 9 },
    { max: 2 ** 31 },
    { jitter: -0.1 },
    { jitter: 1.1 },
  ];
  for (const options of impossible) {
    t.throws(() => backoff(options), RangeError, JSON.stringify(options));
  }
  for (const name of ['initial', 'factor', 'max', 'jitter']) {
    t.throws(() => backoff({ [name]: '10' }), { name: 'TypeError', message: new RegExp(name) });
  }
});
