/** What a command may find at a name; each leaves the name `x` of a folder so. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Test } from 'tap';

import { Leases, tryLock, type Lease } from '../../lib/index.js';

/** Who asks in every row; others hold. */
export const me = 'me@test';
const other = 'other@test';

type Prepare = (dir: string, t: Test) => Promise<unknown> | undefined;

const noise = Buffer.from(Array.from({ length: 300 }, (_, i) => (i * 197 + 91) % 256));

const record = (dir: string): string => join(dir, 'x.lock');

function detached(owner: string, ttl = '1h'): Prepare {
  return (dir) => new Leases({ dir, owner }).acquire('x', { detached: true, ttl });
}

/** Held by this process: a kernel lock on the record, as any other process would see it. */
function attached(owner: string): Prepare {
  return async (dir, t) => {
    const lease: Lease = await new Leases({ dir, owner }).acquire('x');
    t.teardown(() => lease.release());
  };
}

/** The record of somebody who is gone: its bytes in a file that nobody has locked. */
function dead(owner: string): Prepare {
  return async (dir) => {
    const lease = await new Leases({ dir, owner }).acquire('x');
    const bytes = readFileSync(record(dir));
    await lease.release();
    writeFileSync(record(dir), bytes);
  };
}

/** The file of that suffix is damaged. */
function damaged(suffix: string, content: string | Buffer): Prepare {
  return (dir) => {
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, `x.${suffix}`), content);
    return undefined;
  };
}

function frozen(first?: Prepare): Prepare {
  return async (dir, t) => {
    await first?.(dir, t);
    await new Leases({ dir, owner: other }).freeze('x', { ttl: '1h' });
  };
}

async function expired(dir: string, owner: string): Promise<void> {
  await new Leases({ dir, owner }).acquire('x', { detached: true, ttl: 1 });
  await delay(5);
}

export const situations = {
  missing: () => undefined,
  free: async (dir) => {
    await (await new Leases({ dir }).acquire('x')).release();
  },
  mine: detached(me),
  theirs: detached(other),
  'mine alive': attached(me),
  'theirs alive': attached(other),
  'mine dead': dead(me),
  'theirs dead': dead(other),
  'mine expired': (dir) => expired(dir, me),
  'theirs expired': (dir) => expired(dir, other),
  frozen: frozen(),
  'frozen theirs': frozen(detached(other)),
  'frozen expired': frozen((dir) => expired(dir, other)),
  empty: damaged('lock', ''),
  random: damaged('lock', noise),
  'wrong schema': damaged('lock', '{"holdfast":1,"owner":"me"}\n'),
  truncated: async (dir, t) => {
    await detached(other)(dir, t);
    truncateSync(record(dir), 200);
  },
  future: damaged('lock', '{"holdfast":2,"crc":"00000000","token":"1"}\n'),
  'damaged freeze': damaged('freeze', noise),
  'future freeze': damaged('freeze', '{"holdfast":2,"crc":"00000000"}\n'),
  'damaged guard': damaged('guard', noise),
  sidecar: (dir) => {
    mkdirSync(dir);
    tryLock(join(dir, 'x'))?.release();
    return undefined;
  },
  directory: (dir) => {
    mkdirSync(record(dir), { recursive: true });
    return undefined;
  },
  fifo: (dir) => {
    mkdirSync(dir);
    execFileSync('mkfifo', [record(dir)]);
    return undefined;
  },
  'stuck guard': async (dir, t) => {
    await detached(other)(dir, t);
    const stuck = tryLock(join(dir, 'x.guard'), { sidecar: false });
    t.teardown(() => stuck?.release());
  },
} satisfies Record<string, Prepare>;

export type Situation = keyof typeof situations;

/** Makes the folder so. */
export async function prepare(t: Test, situation: Situation, dir: string): Promise<void> {
  await (situations as Record<Situation, Prepare>)[situation](dir, t);
}
