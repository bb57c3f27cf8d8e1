/**
 * The tests of leases can fail: wrong copies of the library, and what the herds, the order and the
 * freezes look for is found in each. A mutant is given several rounds, for a race need not be lost in
 * the first one.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';

import { meet } from '../helpers/herd.js';
import { untilBlocked, untilInLine } from '../helpers/kernel.js';
import { LeasePeer, now, type Where } from '../helpers/lease-peer.js';
import { mutateLibrary, type Mutation } from '../helpers/package-copy.js';
import { regressions, Witness } from '../helpers/witness.js';

interface Mutant {
  name: string;
  mutations: Mutation[];
  /** True when the mutant has shown itself. */
  caught: (peers: LeasePeer[], dir: string, t: Test) => Promise<boolean>;
}

/** Longer than a wait takes that anybody looks after. */
const inVain = (wait: Promise<unknown> | undefined): Promise<boolean> => {
  const ended = wait?.then(
    () => false,
    () => false,
  );
  return Promise.race([sleep(5000, true), ended ?? false]);
};

const mutants: Mutant[] = [
  {
    name: 'what was judged is not compared with what is there',
    mutations: [
      {
        file: 'lib/store/place.js',
        from: "return { record, dead: beneath === 'dead' || beneath === 'corrupt', freeze: found.freeze };",
        to: "return { record: 'anything' };",
      },
    ],
    async caught(peers) {
      // A herd meets what is expired; the second of two sees the witness where the first one is.
      const [late] = peers;
      for (let round = 0; round < 50; round++) {
        const name = `name ${round}`;
        const held = await late?.acquire(name, { ttl: 1, detached: true });
        if (held === undefined) break;
        const { winners, met } = await meet(peers, name, round);
        if (winners > 1 && met > 0) return true;
      }
      return false;
    },
  },
  {
    name: 'a release removes whatever is there',
    mutations: [
      {
        file: 'lib/store/holding.js',
        from: 'const { done, found } = await place.swap({ record: { own: own.bytes } }, change, own.handle);',
        to: "const { done, found } = await place.swap({ record: 'anything' }, change, own.handle);",
      },
    ],
    async caught([late, successor]) {
      const held = await late?.acquire('name', { ttl: 50, renew: false });
      const next = await successor?.acquire('name', { ttl: 60_000 });
      if (held === undefined || next === undefined) return false;
      const ended = await late?.release(held);
      const still = await successor?.inspect('name');
      return ended !== 'lost' || still?.token !== next.token;
    },
  },
  {
    name: 'a grant of what is free does not mind a freeze',
    mutations: [
      {
        file: 'lib/store/place.js',
        from: "const nothing = { record: 'absent', freeze: null };",
        to: "const nothing = { record: 'absent' };",
      },
    ],
    async caught([freezer, ...others]) {
      for (let second = 0; second < 10; second++) {
        const end = now() + 500_000;
        const hammering = others.map((peer) => peer.hammer('name', end));
        const frosts = (await freezer?.frosts('name', end)) ?? [];
        const grants = (await Promise.all(hammering)).flat();
        const slipped = frosts.some(({ from, to, token }) =>
          grants.some((g) => g.at > from && g.at < to && g.token !== token),
        );
        if (slipped) return true;
      }
      return false;
    },
  },
  {
    name: 'nobody waits in line',
    mutations: [
      { file: 'lib/store/waiting.js', from: 'let turn = passNow(gate);', to: 'let turn = {};' },
      { file: 'lib/store/waiting.js', from: 'leave(turn);', to: '' },
    ],
    async caught([holder, ...waiters]) {
      for (let round = 0; round < 20; round++) {
        const held = await holder?.acquire('name');
        const waits = [];
        for (const peer of waiters) {
          const sent = peer.acquire('name');
          waits.push(sent.then((lease) => peer.release(lease).then(() => lease.token)));
          await peer.inspect('name'); // in its turn: that one waits by now
        }
        if (held !== undefined) await holder?.release(held);
        if (regressions(await Promise.all(waits)) > 0) return true;
      }
      return false;
    },
  },
  {
    name: 'nobody looks past a head of the line that is stopped',
    mutations: [
      {
        file: 'lib/store/turnstile.js',
        from: 'if (!place.isFirst())',
        to: 'if (true)',
      },
    ],
    async caught([holder, head, next], dir) {
      const held = await holder?.acquire('name');
      const waits = [head?.acquire('name')];
      await untilInLine(join(dir, 'name'), 1);
      waits.push(next?.acquire('name'));
      await untilInLine(join(dir, 'name'), 2);
      for (const wait of waits) wait?.catch(() => undefined); // they end with the test
      head?.signal('SIGSTOP');
      if (held !== undefined) await holder?.release(held);
      return inVain(waits[1]);
    },
  },
  {
    name: 'the head does not look while it waits',
    mutations: [
      {
        file: 'lib/store/vigil.js',
        from: 'this.#awaits(this.#place.heldForGood() ?? null)',
        to: 'true',
      },
    ],
    async caught([holder, head, third], dir) {
      await holder?.acquire('name');
      // The victim of a break still has the lock on what was its record.
      holder?.signal('SIGSTOP');
      const wait = head?.acquire('name');
      await untilBlocked(join(dir, 'name.lock'));
      await third?.break('name', { force: true });
      return inVain(wait);
    },
  },
  {
    name: 'who lives is taken for a holder without a TTL',
    mutations: [
      {
        file: 'lib/store/place.js',
        from: 'return record !== undefined && isEndless(record) ? record : undefined;',
        to: 'return record;',
      },
    ],
    async caught([holder, head, next], dir) {
      await holder?.acquire('name', { ttl: 500 });
      head?.acquire('name').catch(() => undefined); // it ends with the test
      await untilInLine(join(dir, 'name'), 1);
      const wait = next?.acquire('name');
      await untilInLine(join(dir, 'name'), 2);
      for (const peer of [head, holder]) peer?.signal('SIGSTOP');
      return inVain(wait);
    },
  },
];

const witness = new Witness(t);
for (const { name, mutations, caught } of mutants) {
  await t.test(name, async (t) => {
    const root = mutateLibrary(t, mutations);
    const dir = join(t.testdir(), 'leases');
    const where: Where = { leases: { dir } };
    const peers = await LeasePeer.startAll(t, 6, where, { root, witness });
    t.ok(await caught(peers, dir, t), 'caught');
  });
}
