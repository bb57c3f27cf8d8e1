/** A clock may be anybody's; what comes out of it must fit a record and a Date. */
import t from 'tap';

import { lastMoment, systemClock, wallTime } from '../lib/clock.js';

await t.test('whole milliseconds, rounded down', async (t) => {
  const at = (now: number): number => wallTime({ now: () => now });
  t.equal(at(0), 0);
  t.equal(at(1_700_000_000_000.9), 1_700_000_000_000);
  t.equal(at(lastMoment), lastMoment);
  t.notOk(Number.isNaN(new Date(at(lastMoment)).getTime()), 'still a Date');
  t.ok(Number.isNaN(new Date(lastMoment + 1).getTime()), 'and the last one');
});

await t.test('what is no time is refused', async (t) => {
  for (const now of [-1, NaN, Infinity, -Infinity, lastMoment + 1, undefined, '1', null, {}]) {
    const clock = { now: () => now as number };
    if (typeof now === 'number') t.throws(() => wallTime(clock), RangeError, String(now));
    else t.throws(() => wallTime(clock), /milliseconds since 1970/, typeof now);
  }
});

await t.test('the clock of the system', async (t) => {
  const before = Date.now();
  const now = wallTime(systemClock);
  t.ok(before <= now && now <= Date.now());
});
