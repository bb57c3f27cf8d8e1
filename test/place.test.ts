/** What a place tells of its name without the guard. */
import t from 'tap';

import { Place } from '../lib/store/place.js';
import { Sightings } from '../lib/store/sightings.js';
import { someLeases } from './helpers/some-leases.js';

await t.test('held for good: somebody has it, without a TTL and beneath no freeze', async (t) => {
  const leases = someLeases(t);
  const files = { base: `${leases.location}/name`, mode: 0o600, allowNetwork: false };
  const place = new Place('name', files, undefined, new Sightings());
  t.notOk(place.heldForGood(), 'nobody ever had it');
  const lease = await leases.acquire('name');
  t.ok(place.heldForGood(), 'attached');
  await leases.freeze('name', { ttl: '1h' });
  t.notOk(place.heldForGood(), 'frozen: that has to be seen, for its TTL may count from then on');
  await leases.unfreeze('name');
  t.ok(place.heldForGood(), 'thawed');
  await lease.release();
  t.notOk(place.heldForGood(), 'released');
  const ending = await leases.acquire('name', { ttl: '1h' });
  t.notOk(place.heldForGood(), 'with a TTL');
  await ending.detach();
  t.notOk(place.heldForGood(), 'detached');
  await ending.release();
});
