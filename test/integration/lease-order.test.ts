/** Who comes next: not even a head of the line that is stopped keeps the rest; a freeze keeps all. */
import { join } from 'node:path';
import t from 'tap';

import { full } from '../helpers/counting.js';
import { untilBlocked, untilInLine } from '../helpers/kernel.js';
import { LeasePeer, now } from '../helpers/lease-peer.js';

const dir = t.testdir();
const peers = await LeasePeer.startAll(t, 8, { leases: { dir } });

await t.test('the head of the line is stopped, and the next one is served', async (t) => {
  const [holder, head, next, last] = peers;
  if (!holder || !head || !next || !last) throw new Error('four peers are needed');
  const rounds = full ? 10 : 2;
  for (let round = 0; round < rounds; round++) {
    const held = await holder.acquire('stopped', round % 2 === 0 ? {} : { ttl: 60_000 });
    const heads = head.acquire('stopped');
    await untilInLine(join(dir, 'stopped'), 1);
    const nexts = next.acquire('stopped');
    await untilInLine(join(dir, 'stopped'), 2);
    const lasts = last.acquire('stopped');
    await untilInLine(join(dir, 'stopped'), 3);
    head.signal('SIGSTOP');
    const released = now();
    await holder.release(held);
    // The one that looks first takes it; that need not be the one that came first.
    const first = await Promise.race([
      nexts.then((held) => ({ peer: next, held })),
      lasts.then((held) => ({ peer: last, held })),
    ]);
    const took = (first.held.at - released) / 1000;
    t.comment(`${took.toFixed(0)} ms`);
    t.ok(took < 4000, `within 4 s: ${took.toFixed(0)} ms`);
    head.signal('SIGCONT');
    await first.peer.release(first.held);
    const other = first.peer === next ? last : next;
    // Where the machine is busy, the other one may look twice before the head has woken up.
    const rest = [
      { peer: head, grant: heads },
      { peer: other, grant: other === next ? nexts : lasts },
    ];
    const tokens = await Promise.all(
      rest.map(async ({ peer, grant }) => {
        const own = await grant;
        await peer.release(own);
        return own.token;
      }),
    );
    t.ok(
      tokens.every((token) => token > first.held.token),
      'the rest are served when it goes on',
    );
  }
});

await t.test('the head is stopped, and its holder past its TTL, or dead', async (t) => {
  for (const ttl of [500, undefined]) {
    const [holder, head, next] = await LeasePeer.startAll(t, 3, { leases: { dir } });
    if (!holder || !head || !next) throw new Error('three peers are needed');
    const name = ttl === undefined ? 'dead' : 'past-its-ttl';
    const lost = await holder.acquire(name, ttl === undefined ? {} : { ttl });
    head.acquire(name).catch(() => undefined); // it ends with the test
    await untilInLine(join(dir, name), 1);
    const wait = next.acquire(name);
    await untilInLine(join(dir, name), 2);
    for (const peer of [head, holder]) peer.signal('SIGSTOP');
    if (ttl === undefined) await holder.end();
    const taken = await wait;
    t.ok(taken.token > lost.token, `${name}: ${taken.previous?.end}`);
    await next.release(taken);
  }
});

await t.test(
  'the holder is stopped, and its lease broken by force: the head has it next',
  async (t) => {
    const [holder, head, next, outsider] = await LeasePeer.startAll(t, 4, { leases: { dir } });
    if (!holder || !head || !next || !outsider) throw new Error('four peers are needed');
    const broken = await holder.acquire('broken');
    holder.signal('SIGSTOP'); // it keeps the lock on what was its record
    const heads = head.acquire('broken');
    await untilBlocked(join(dir, 'broken.lock'));
    const nexts = next.acquire('broken');
    await untilInLine(join(dir, 'broken'), 2);
    t.equal((await outsider.break('broken', { force: true }))?.token, broken.token);
    const first = await heads;
    t.match(first.previous, { end: 'broken', token: broken.token });
    await head.release(first);
    const second = await nexts;
    t.ok(second.token > first.token);
    await next.release(second);
  },
);

await t.test('nobody is granted a name that is frozen', async (t) => {
  const [freezer, ...others] = peers;
  if (!freezer) throw new Error('a peer is needed');
  const frosts: Awaited<ReturnType<LeasePeer['frosts']>> = [];
  let slipped = 0;
  let grants = 0;
  let busy = 0;
  for (let second = 0; second < (full ? 20 : 2); second++) {
    const end = now() + 1_000_000;
    const hammering = others.map((peer, i) => peer.hammer('frozen', end, { wait: i < 2 }));
    const frozen = await freezer.frosts('frozen', end);
    const all = (await Promise.all(hammering)).flat();
    for (const { from, to, token } of frozen) {
      // Whoever had it when it froze may be told late; anybody else was granted it afterwards.
      slipped += all.filter((g) => g.at > from && g.at < to && g.token !== token).length;
    }
    busy += frozen.filter(({ token }) => token !== null).length;
    grants += all.length;
    frosts.push(...frozen);
  }
  t.equal(
    slipped,
    0,
    `nobody slips in: ${frosts.length} freezes, ${busy} of a lease that was held`,
  );
  t.ok(grants > frosts.length, `${grants} grants between them`);
});
