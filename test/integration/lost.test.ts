/** The sidecar is removed or replaced while it is locked (scenarios E6). */
import { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

import { lock } from '../../lib/index.js';
import { untilBlocked } from '../helpers/kernel.js';
import { Peer } from '../helpers/peer.js';

const disturbances: Record<string, (sidecar: string) => void> = {
  removed: (sidecar) => {
    unlinkSync(sidecar);
  },
  replaced: (sidecar) => {
    writeFileSync(`${sidecar}.new`, 'another file');
    renameSync(`${sidecar}.new`, sidecar);
  },
  'replaced by a directory': (sidecar) => {
    unlinkSync(sidecar);
    mkdirSync(sidecar);
  },
  'replaced by a link to itself': (sidecar) => {
    renameSync(sidecar, `${sidecar}.moved`);
    symlinkSync(`${sidecar}.moved`, sidecar);
  },
};

for (const [name, disturb] of Object.entries(disturbances)) {
  await t.test(`${name}: the holder is told, and only one of two passes`, async (t) => {
    const resource = join(t.testdir(), 'data');
    const first = await Peer.start(t);
    const second = await Peer.start(t);
    const held = await first.lock(resource);
    await first.call('assertHeld', held.id);
    disturb(`${resource}.lock`);
    const other = await second.tryLock(resource).catch(() => null);
    await t.rejects(first.call('assertHeld', held.id), { code: 'ERR_LOCK_LOST' });
    if (other) await second.call('assertHeld', other.id);
    await first.release(held.id);
    if (other) await second.call('assertHeld', other.id);
  });
}

await t.test('the folder is removed with the sidecar', async (t) => {
  const folder = join(t.testdir(), 'folder');
  const held = await lock(join(folder, 'data'));
  rmSync(folder, { recursive: true });
  t.throws(
    () => {
      held.assertHeld();
    },
    { code: 'ERR_LOCK_LOST' },
  );
  t.equal(held.held, false);
  held.release();
  const again = await lock(join(folder, 'data'));
  again.assertHeld();
  again.release();
});

await t.test(
  'a waiter whose sidecar is removed waits for the one that takes its place',
  async (t) => {
    const resource = join(t.testdir(), 'data');
    const [first, second, third] = await Peer.startAll(t, 3);
    const held = await first?.lock(resource);
    const wait = third?.lock(resource);
    await untilBlocked(`${resource}.lock`);
    unlinkSync(`${resource}.lock`);
    const usurper = await second?.lock(resource, { timeout: 10_000 });
    // The waiter is let in on the removed file, sees that, and queues on the new one.
    await first?.release(held?.id ?? 0);
    await third?.call('ping');
    await second?.call('assertHeld', usurper?.id);
    t.equal(await second?.tryLock(resource), null);
    await second?.release(usurper?.id ?? 0);
    const granted = await wait;
    await third?.call('assertHeld', granted?.id);
  },
);

await t.test('without a sidecar: a resource that is replaced is a lost lock', async (t) => {
  const resource = join(t.testdir({ data: 'text' }), 'data');
  const held = await lock(resource, { sidecar: false });
  held.assertHeld();
  writeFileSync(`${resource}.new`, 'other text');
  renameSync(`${resource}.new`, resource);
  t.throws(
    () => {
      held.assertHeld();
    },
    { code: 'ERR_LOCK_LOST' },
  );
  held.release();
});
