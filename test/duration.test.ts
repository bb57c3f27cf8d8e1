/** Durations: what people write is taken by the letter or refused, and what they read is short. */
import fc from 'fast-check';
import t from 'tap';

import { duration, formatDuration, longestDuration } from '../lib/duration.js';

await t.test('what is a duration', async (t) => {
  const good: [value: number | string, ms: number][] = [
    [1, 1],
    [30_000, 30_000],
    [33.4, 33],
    [0.5, 1],
    ['250ms', 250],
    ['30s', 30_000],
    ['1.5m', 90_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
    ['0.25s', 250],
    ['1.1s', 1100],
    ['007s', 7000],
    ['3652d', longestDuration],
    [longestDuration, longestDuration],
  ];
  for (const [value, ms] of good) t.equal(duration(value), ms, JSON.stringify(value));
});

await t.test('what is none', async (t) => {
  const noForm = ['', ' ', '30', '30 s', ' 30s', '30s ', '30s\n', '30S', '30Ms', '1M', '1w', 's'];
  const noNumber = ['-1s', '+1s', '.5s', '1.s', '1e3s', '0x1s', '1,5s', '١s', 'NaNs', '1h30m'];
  for (const value of [
    ...noForm,
    ...noNumber,
    undefined,
    null,
    true,
    {},
    [],
    [1],
    1n,
    Symbol('s'),
  ]) {
    t.throws(() => duration(value), TypeError, typeof value === 'string' ? value : typeof value);
  }
  const noRange = [0, -0, 0.4, -1, NaN, Infinity, -Infinity, longestDuration + 1];
  for (const value of [...noRange, '0s', '0.4ms', '3653d', `${'9'.repeat(400)}s`]) {
    t.throws(() => duration(value), RangeError, String(value).slice(0, 20));
  }
  t.throws(() => duration('soon', 'timeout'), /^timeout must be/, 'the error names it');
  t.throws(() => duration(-1, 'timeout'), { message: /^timeout must be .* not -1$/ });
});

await t.test('zero, where it makes sense', async (t) => {
  for (const value of [0, -0, 0.4, '0s', '0ms']) t.ok(Object.is(duration(value, 'wait', 0), 0));
  t.throws(() => duration(-1, 'wait', 0), RangeError);
});

await t.test('for people', async (t) => {
  const said: [ms: number, text: string][] = [
    [0, '0ms'],
    [-5, '0ms'],
    [-Infinity, '0ms'],
    [0.4, '0ms'],
    [250, '250ms'],
    [999.4, '999ms'],
    [999.6, '1s'],
    [1000, '1s'],
    [1500, '1.5s'],
    [9949, '9.9s'],
    [9951, '10s'],
    [30_000, '30s'],
    [59_400, '59s'],
    [59_600, '1m'],
    [61_000, '1m1s'],
    [192_000, '3m12s'],
    [3_599_400, '59m59s'],
    [3_599_600, '1h'],
    [7_200_000, '2h'],
    [7_500_000, '2h5m'],
    [86_370_001, '1d'],
    [86_400_000, '1d'],
    [97_200_000, '1d3h'],
    [longestDuration, '3652d'],
    [Infinity, 'for ever'],
    [NaN, '?'],
  ];
  for (const [ms, text] of said) t.equal(formatDuration(ms), text, String(ms));
});

await t.test('what one unit says is understood again, and nearly the same', async () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: longestDuration }), (ms) => {
      const parts = formatDuration(ms).match(/[\d.]+[a-z]+/g) ?? [];
      const read = parts.reduce((sum, part) => sum + duration(part), 0);
      return parts.length <= 2 && Math.abs(read - ms) <= Math.max(50, ms / 50);
    }),
  );
});
