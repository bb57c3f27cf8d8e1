/** How the lease before ended, as a note tells it. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

import { Leases } from '../lib/index.js';
import { encodePrevious, endOf, parsePrevious, type PreviousLease } from '../lib/previous.js';

const at = new Date(1_700_000_000_000);
const whole: PreviousLease = { end: 'broken', token: 7n, owner: 'a', pid: 4, at, by: 'b' };

await t.test('a note says what was put into it, and fits its place', async (t) => {
  t.strictSame(parsePrevious(encodePrevious(whole), 0), whole);
  const bare: PreviousLease = { ...whole, token: null, owner: null, pid: null, by: null };
  t.strictSame(parsePrevious(encodePrevious(bare), 0), bare);
  const long = { ...whole, token: 2n ** 64n - 1n, owner: '\0'.repeat(2000), by: 'ü'.repeat(2000) };
  t.ok(Buffer.byteLength(encodePrevious({ ...long, pid: 2 ** 31 })) <= 415);
});

await t.test('what is none of ours says nothing', async (t) => {
  const notes = ['', 'x', '{', 'null', '[]', '{"end":"sold","at":1}', '{"end":"broken","at":"x"}'];
  for (const note of notes) t.equal(parsePrevious(note, 0), null, note);
});

await t.test('the end follows from the verdict', async (t) => {
  const ends = { expired: 'expired', dead: 'crashed', corrupt: 'crashed', held: 'broken' } as const;
  for (const [state, end] of Object.entries(ends)) t.equal(endOf(state as keyof typeof ends), end);
});

await t.test('a lease of which nothing is left is not said to have been released', async (t) => {
  const dir = t.testdir();
  const leases = new Leases({ dir });
  const first = await leases.acquire('a');
  t.equal(first.previous, null, 'there was none');
  await first.release();
  const second = await leases.acquire('a');
  t.match(second.previous, { end: 'released', token: first.token });
  rmSync(join(dir, 'a.lock'));
  const third = await leases.acquire('a');
  t.match(third.previous, { end: 'crashed', token: null, owner: null, pid: null });
  await third.release();
  t.equal(await second.release(), 'lost');
});
