/** Holders and waiters that are killed, and holders that are stopped, at random and many times. */
import t, { type Test } from 'tap';

import { full } from '../helpers/counting.js';
import { Etcd, withoutEtcd } from '../helpers/etcd.js';
import { LeasePeer, type Where } from '../helpers/lease-peer.js';
import { Witness, regressions } from '../helpers/witness.js';

t.setTimeout(3_000_000);
/** The shortest there is. */
const ttl = 2000;

async function suite(etcd: Etcd): Promise<void> {
  const where = (prefix: string): Where => {
    const options = { endpoints: etcd.endpoints, prefix };
    return { store: { module: 'store/etcd/etcd-store.js', name: 'EtcdStore', options } };
  };
  const kills = full ? 200 : 6;
  await t.test(`kill -9, ${kills} times`, (t) => killed(etcd, t, kills, where('kills')));

  const stops = full ? 50 : 2;
  await t.test(`SIGSTOP past the TTL, ${stops} times`, async (t) => {
    const [holder, successor] = await LeasePeer.startAll(t, 2, where('stops'));
    if (holder === undefined || successor === undefined) throw new Error('two are needed');
    // The resource of docs/scale-out.md: it refuses a lower token than it has seen.
    let highest = 0n;
    const write = (token: bigint): boolean => {
      if (token < highest) return false;
      highest = token;
      return true;
    };
    for (let round = 0; round < stops; round++) {
      const held = await holder.acquire('name', { ttl });
      t.ok(write(held.token));
      holder.signal('SIGSTOP');
      const next = await successor.acquire('name', { ttl: 60_000 });
      t.ok(write(next.token));
      const step = holder.assertHeld(held);
      holder.signal('SIGCONT');
      await t.rejects(step, { code: 'ERR_LOCK_LOST' });
      t.notOk(write(held.token), 'a late write is refused');
      t.equal(await holder.release(held), 'lost');
      t.equal(await successor.release(next), 'released');
    }
  });
}

/** Three want it at a time; one of them, whoever it is, is killed in the midst. */
async function killed(etcd: Etcd, t: Test, times: number, where: Where): Promise<void> {
  const witness = new Witness(t);
  const start = (): Promise<LeasePeer> => LeasePeer.start(t, where, { witness });
  let peers: LeasePeer[] = await Promise.all([start(), start(), start()]);
  let met = 0;
  for (let round = 0; round < times; round++) {
    const [first, ...waiters] = peers;
    const held = await first?.contend('name', { byte: 1, ttl, wait: true, keep: true });
    const won = waiters.map((peer) =>
      peer.contend('name', { byte: 1, ttl, wait: true }).then(
        (outcome) => outcome,
        () => null, // it was killed
      ),
    );
    await etcd.untilCount('kills/line/name/', 3);
    const doomed = peers[round % peers.length];
    // Whose process ends gives up its byte: the witness stands by the kernel.
    for (const wait of won) wait.catch(() => undefined);
    await doomed?.end();
    if (doomed !== first && held?.lease !== undefined && first !== undefined) {
      await first.leave(1);
      t.equal(await first.release(held.lease), 'released');
    }
    for (const [i, wait] of won.entries()) {
      if (waiters[i] === doomed) continue;
      const outcome = await wait;
      if (outcome?.alone !== true || outcome.ended !== 'released') met++;
    }
    const living = peers.filter((peer) => peer !== doomed);
    peers = [...living, await start()];
  }
  t.equal(met, 0, 'who was granted it was alone, and to its end');
  const tokens = witness.tokens(1);
  t.comment(`${tokens.length} grants`);
  t.equal(regressions(tokens), 0, 'tokens rise');
}

if (withoutEtcd !== false) t.plan(0, withoutEtcd);
else await suite(await Etcd.start(t));
