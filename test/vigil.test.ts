/** The watch on a record without a living holder: no end of it may fall between two looks. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

import { Bell } from '../lib/bell.js';
import { verdict } from '../lib/staleness.js';
import { Place, type View } from '../lib/store/place.js';
import { Sightings } from '../lib/store/sightings.js';
import { Vigil } from '../lib/store/vigil.js';
import { detached, someRecord } from './helpers/records.js';

/** Longer than any test waits. */
const farOff = 1_000_000;

function heldElsewhere(place: Place): View {
  const record = { state: 'valid', record: detached(someRecord) } as const;
  const now = place.now();
  const found = { record: Buffer.from('x'), freeze: null, alive: false, note: '' };
  const judgement = verdict({ name: place.name, record, liveness: 'none', freeze: null }, now);
  return { found, judgement: { ...judgement, state: 'held', lookAgainMs: farOff }, now };
}

await t.test('what ends before anybody watches is not slept through', async (t) => {
  const folder = t.testdir({ 'a.lock': 'x', 'b.lock': 'x' });
  const files = { base: join(folder, 'a'), mode: 0o600, allowNetwork: false };
  const place = new Place('a', files, undefined, new Sightings());
  const bell = new Bell();
  const vigil = new Vigil(place, bell);
  const { signal } = new AbortController();
  // It was seen before the watch began, so it has to be looked at once more: at once.
  await vigil.sleep(heldElsewhere(place), signal);
  let woke = false;
  const sleep = vigil.sleep(heldElsewhere(place), signal).then(() => {
    woke = true;
  });
  writeFileSync(join(folder, 'c.lock'), '');
  rmSync(join(folder, 'b.lock'));
  await new Promise((resolve) => setImmediate(resolve));
  t.notOk(woke, 'what other names do is none of its business');
  rmSync(join(folder, 'a.lock'));
  await sleep;
  vigil.end();
});
