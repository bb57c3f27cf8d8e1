// The operations that faults are put into. Each has
//
// - `before`: what another process does first. It runs in the campaign.
// - `prepare`: what the process that is to be hurt does first, unhurt
// - `act`: the operation. What it grants is left in `world` for its clean-up.
// - `during`: what the campaign does while that is under way
// - `effect`: how the record has to be afterwards (judge.mjs), and `kind` of the lease
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export const name = 'it';
const waitMs = 3000;
const holdMs = 5;

const options = { attached: { ttl: '1h', renew: false }, detached: { ttl: '1h', detached: true } };

const keep = (world, lease) => {
  world.lease = lease ?? undefined;
  return lease === null ? null : { id: lease.id, token: String(lease.token) };
};
const keepLock = (world, lock) => {
  world.lock = lock ?? undefined;
  return lock === null ? null : true;
};
const tryFor = (kind) => async (world) =>
  keep(world, await world.leases.tryAcquire(name, options[kind]));
const waitFor = (kind) => async (world) =>
  keep(world, await world.leases.acquire(name, { ...options[kind], timeout: waitMs }));

/** Somebody has used the name: the folder and the guard are there. */
async function used({ leases }) {
  await (await leases.acquire(name)).release();
}
const holds = (kind) => async (world) => {
  await used(world);
  world.lease = await world.leases.acquire(name, options[kind]);
};
/** A record without a holder, as a process leaves it that dies. */
const corpse = (kind) => async (world) => {
  await used(world);
  const lease = await world.leases.acquire(name, options[kind]);
  const bytes = readFileSync(world.path('lock'));
  await lease.release();
  writeFileSync(world.path('lock'), bytes);
};
async function letGo(world) {
  await sleep(holdMs);
  await world.lease?.release();
  world.lease = undefined;
  world.lock?.release();
  world.lock = undefined;
}

const leaseScenarios = [
  ...['attached', 'detached'].flatMap((kind) => [
    { title: `acquire, ${kind}, in no folder`, act: tryFor(kind), effect: 'grant', kind },
    {
      title: `acquire, ${kind}`,
      before: used,
      prepare: used,
      act: tryFor(kind),
      effect: 'grant',
      kind,
    },
    {
      title: `acquire, ${kind}, after a death`,
      before: corpse('attached'),
      act: tryFor(kind),
      effect: 'grant',
      kind,
    },
    {
      title: `wait, ${kind}, for an attached one`,
      before: holds('attached'),
      act: waitFor(kind),
      during: letGo,
      effect: 'grant',
      kind,
    },
    {
      title: `wait, ${kind}, for a detached one`,
      before: holds('detached'),
      act: waitFor(kind),
      during: letGo,
      effect: 'grant',
      kind,
    },
    {
      title: `renew, ${kind}`,
      prepare: holds(kind),
      act: async ({ lease }) => void (await lease.renew()),
      effect: 'renew',
      kind,
    },
    {
      title: `release, ${kind}`,
      prepare: holds(kind),
      act: ({ lease }) => lease.release(),
      effect: 'release',
      kind,
    },
    {
      title: `break by force, ${kind}`,
      before: holds(kind),
      act: async ({ leases }) => String((await leases.break(name, { force: true }))?.token),
      effect: 'break',
      kind,
    },
  ]),
  {
    title: 'detach',
    prepare: holds('attached'),
    act: ({ lease }) => lease.detach({ ttl: '1h' }),
    effect: 'detach',
    kind: 'detached',
  },
  {
    title: 'break of a stale one',
    before: corpse('attached'),
    act: async ({ leases }) => String((await leases.break(name, { stale: true }))?.token),
    effect: 'break',
    kind: 'attached',
  },
  {
    title: 'sweep',
    before: async (world) => {
      await corpse('attached')(world);
      writeFileSync(world.path('new'), 'left over');
    },
    act: async ({ leases }) => String((await leases.sweep())[0]?.token),
    effect: 'sweep',
    kind: 'attached',
  },
  {
    title: 'freeze',
    before: used,
    act: async ({ leases }) => void (await leases.freeze(name, { ttl: '1h' })),
    effect: 'freeze',
  },
  {
    title: 'unfreeze',
    before: async (world) => {
      await used(world);
      await world.leases.freeze(name, { ttl: '1h' });
    },
    act: ({ leases }) => leases.unfreeze(name),
    effect: 'unfreeze',
  },
  {
    title: 'inspect',
    before: holds('attached'),
    act: async ({ leases }) => (await leases.inspect(name))?.state,
    effect: 'look',
    kind: 'attached',
  },
  {
    title: 'list',
    before: holds('detached'),
    act: async ({ leases }) => {
      for await (const { state } of leases.list()) return state;
      return undefined;
    },
    effect: 'look',
    kind: 'detached',
  },
  {
    title: 'adopt',
    before: async (world) => {
      await holds('detached')(world);
      world.told = world.lease.toJSON();
    },
    act: async (world) => keep(world, await world.leases.adopt(name, world.told)) && 'held',
    effect: 'look',
    kind: 'detached',
  },
];

// Not the mode that a umask leaves, so that it has to be set.
const fileMode = 0o666;
const kinds = {
  'by sidecar': { fileMode },
  'by sidecar, shared': { shared: true, fileMode },
  'of itself': { sidecar: false },
};
const holdsLock = (which) => (world) => {
  world.lock = world.library.tryLock(world.resource, which);
};

const fileScenarios = Object.entries(kinds).flatMap(([kind, which]) => [
  {
    title: `file lock ${kind}`,
    act: (world) => keepLock(world, world.library.tryLock(world.resource, which)),
    effect: 'lock',
    which,
  },
  {
    title: `file lock ${kind}, wait`,
    before: holdsLock({ ...which, shared: false }),
    act: async (world) =>
      keepLock(world, await world.library.lock(world.resource, { ...which, timeout: waitMs })),
    during: letGo,
    effect: 'lock',
    which,
  },
  {
    title: `file lock ${kind}, lockSync`,
    before: holdsLock({ ...which, shared: false }),
    act: (world) =>
      keepLock(world, world.library.lockSync(world.resource, { ...which, timeout: waitMs })),
    during: letGo,
    effect: 'lock',
    which,
  },
  {
    title: `file lock ${kind}, release`,
    prepare: holdsLock(which),
    act: ({ lock }) => lock.release(),
    effect: 'unlock',
    which,
  },
]);

export const scenarios = [...leaseScenarios, ...fileScenarios];
