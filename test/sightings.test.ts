/** What has been seen unchanged, and which of many is forgotten. */
import t from 'tap';

import { Sightings } from '../lib/store/sightings.js';

const bytes = (text: string): Buffer => Buffer.from(text);

await t.test('since when: as long as it is the same, and there', async (t) => {
  const sightings = new Sightings();
  t.equal(sightings.since('a', bytes('1'), 10), 10);
  t.equal(sightings.since('a', bytes('1'), 20), 10);
  t.equal(sightings.since('a', bytes('2'), 30), 30, 'changed');
  t.equal(sightings.since('a', null, 40), undefined);
  t.equal(sightings.since('a', bytes('2'), 50), 50, 'it was gone');
});

await t.test('what somebody watches is not forgotten, however many others there are', async (t) => {
  const sightings = new Sightings();
  sightings.since('watched', bytes('1'), 1);
  sightings.since('once', bytes('1'), 1);
  for (let other = 0; other < 5000; other++) {
    sightings.since(`other ${other}`, bytes('1'), 2);
    if (other % 100 === 0) sightings.since('watched', bytes('1'), 2);
  }
  t.equal(sightings.since('watched', bytes('1'), 3), 1);
  t.equal(sightings.since('once', bytes('1'), 3), 3, 'there is a limit');
});
