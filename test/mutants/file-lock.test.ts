/**
 * The tests can fail: wrong copies of the addon are built, and what the other tests look for is
 * found. A mutant is given several rounds, for a race need not be lost in the first one.
 */
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { countTogether } from '../helpers/counting.js';
import { staysAway } from '../helpers/fairness.js';
import { untilBlocked } from '../helpers/kernel.js';
import { MutantWorkshop, type Mutation } from '../helpers/package-copy.js';
import { Peer } from '../helpers/peer.js';

interface Mutant {
  name: string;
  mutations: Mutation[];
  /** True when the mutant has shown itself. */
  caught: (t: Test, root: string, resource: string) => Promise<boolean>;
}

const counting =
  (options: { unlink?: boolean }) =>
  async (t: Test, root: string, resource: string): Promise<boolean> => {
    const peers = await Peer.startAll(t, 6, { root });
    for (let round = 0; round < 20; round++) {
      const verdict = await countTogether(resource, peers, 50, options);
      if (verdict.overlapping > 0 || verdict.unique < 300) return true;
    }
    return false;
  };

const mutants: Mutant[] = [
  {
    name: 'no inode check after the lock, while holders remove the sidecar',
    mutations: [
      {
        file: 'native/lock_handle.cc',
        from: 'if (!failure && named.id == id_) {',
        to: 'if (named.id == id_ || true) {',
      },
    ],
    caught: counting({ unlink: true }),
  },
  {
    name: 'a descriptor that was refused the lock is kept as if it had it',
    mutations: [
      {
        file: 'native/posix/os.cc',
        from: 'if (errno == EWOULDBLOCK) return LockResult::busy;',
        to: 'if (errno == EWOULDBLOCK) return LockResult::granted;',
      },
    ],
    caught: counting({}),
  },
  {
    name: 'an interrupted wait counts as granted',
    mutations: [
      {
        file: 'native/lock_handle.cc',
        from: 'if (result == os::LockResult::interrupted) return Outcome::cancelled;',
        to: '',
      },
      {
        file: 'native/lock_waiter.cc',
        from: 'if (cancelled_ && isGrant(outcome)) {',
        to: 'if (cancelled_ && isGrant(outcome) && false) {',
      },
    ],
    caught: async (t, root, resource) => {
      const [holder, waiter] = await Peer.startAll(t, 2, { root });
      await holder?.lock(resource);
      const error: unknown = await waiter
        ?.lockSync(resource, { timeout: 50 })
        .catch((e: unknown) => e);
      return !(error instanceof Error);
    },
  },
  {
    name: 'no courtesy towards waiters',
    mutations: [
      {
        file: 'native/courtesy.cc',
        from: 'return entry.file == file && entry.until > now ? entry.until - now : 0;',
        to: 'return 0;',
      },
    ],
    caught: (t, root, resource) => Promise.resolve(!staysAway(t, resource, root)),
  },
  {
    name: 'a waiter signs in before it is known that anybody wants the lock',
    mutations: [
      {
        file: 'native/lock_waiter.cc',
        from: 'if (!transaction_) return handle_.acquire(request_, volumes_, &interrupt_);',
        to: `if (!transaction_) {
          const Outcome outcome = handle_.acquire(request_, volumes_, &interrupt_);
          return outcome == Outcome::granted ? handle_.enter(request_) : outcome;
        }`,
      },
    ],
    caught: async (t, root, resource) => {
      // A crash, then a wait that is granted while its event loop is busy, and is given up.
      const [victim, waiter, next] = await Peer.startAll(t, 3, { root });
      await victim?.lock(resource, { owner: 'victim' });
      const wait = waiter?.call('lockThenAbort', resource);
      await untilBlocked(`${resource}.lock`);
      await victim?.end();
      await wait;
      const told = await next?.lock(resource, { timeout: 10_000 });
      return told?.previous?.owner !== 'victim';
    },
  },
  {
    name: 'the holder does not sign out',
    mutations: [
      {
        file: 'native/lock_handle.cc',
        from: 'const char letter = sidecar::signOut(file_);',
        to: "const char letter = '-';",
      },
    ],
    caught: async (t, root, resource) => {
      const peer = await Peer.start(t, { root });
      const { id } = await peer.lock(resource);
      await peer.release(id);
      return (await peer.lock(resource)).previous !== null;
    },
  },
];

const workshop = new MutantWorkshop(t);
for (const { name, mutations, caught } of mutants) {
  await t.test(name, async (t) => {
    const resource = join(t.testdir(), 'counter');
    t.ok(await caught(t, workshop.build(t, mutations), resource), 'caught');
  });
}
