import t from 'tap';

import { Deadline } from '../lib/deadline.js';

await t.test('without a TTL there is none', async (t) => {
  const deadline = new Deadline(
    () => Number.MAX_VALUE,
    () => t.fail('it never ends'),
  );
  for (const ttl of [null, Infinity]) {
    deadline.set(0, ttl, true);
    t.equal(deadline.over, false);
    t.equal(deadline.ended, false);
  }
});

await t.test('one that is not final is over at its TTL, and nobody is told', async (t) => {
  let now = 0;
  const deadline = new Deadline(
    () => now,
    () => t.fail('a renewal may revive it'),
  );
  deadline.set(1000, 100, false);
  now = 1099;
  t.equal(deadline.over, false);
  now = 1100;
  t.equal(deadline.over, true);
  t.equal(deadline.ended, false);
});

await t.test('a final one ends a twentieth of its TTL early', async (t) => {
  let now = 0;
  const deadline = new Deadline(
    () => now,
    () => undefined,
  );
  deadline.set(1000, 100_000, true);
  now = 95_999;
  t.equal(deadline.ended, false);
  now = 96_000;
  t.equal(deadline.ended, true);
  deadline.set(now, 100_000, true);
  t.equal(deadline.ended, false, 'another TTL takes its place');
  deadline.stop();
});

await t.test('whoever is to be told is told, once it is over and not before', async (t) => {
  const set = performance.now();
  const late = await new Promise<number>((resolve) => {
    const deadline = new Deadline(
      () => performance.now(),
      () => {
        resolve(performance.now() - set);
      },
    );
    deadline.set(set, 100, true);
    setTimeout(() => undefined, 1000); // its own timer does not keep the program alive
  });
  t.ok(late >= 95, `${late} ms`);
});

await t.test('after stop nobody is told', async (t) => {
  const deadline = new Deadline(
    () => performance.now(),
    () => t.fail('it was stopped'),
  );
  deadline.set(performance.now(), 20, true);
  deadline.stop();
  await new Promise((resolve) => setTimeout(resolve, 100));
});
