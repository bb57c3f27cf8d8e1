/** The store of one host passes the suite. */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { lock } from '../../lib/index.js';
import { fileName } from '../../lib/names.js';
import { FileStore } from '../../lib/store/file-store.js';
import { untilInLine } from '../helpers/kernel.js';
import { conformance } from './suite.js';
import type { Site, Trouble } from './subject.js';

/**
 * What a request is to a store elsewhere, a transaction is here. Each reads the wall clock, to write a
 * record or to judge one; so there are at most as many as readings. (The addon cannot be wrapped.)
 */
let readings = 0;
const wall = Date.now;
Date.now = () => {
  readings++;
  return wall();
};

async function site(t: Test): Promise<Site> {
  const dir = join(t.testdir(), 'leases');
  const troubles: Trouble[] = [
    {
      what: 'a process is stopped inside the guard',
      code: 'ERR_LOCK_BUSY',
      withinMs: 5000,
      keepsLeases: true,
      async begin(names) {
        const guards = names.map((name) => `${join(dir, fileName(name))}.guard`);
        const held = await Promise.all(guards.map((guard) => lock(guard, { sidecar: false })));
        return async () => held.forEach((each) => each.release());
      },
    },
    {
      what: 'the folder is no folder',
      code: 'ERR_LOCK_SYSTEM',
      withinMs: 1000,
      keepsLeases: false,
      async begin() {
        renameSync(dir, `${dir}.away`);
        writeFileSync(dir, '');
        return async () => {
          rmSync(dir);
          renameSync(`${dir}.away`, dir);
        };
      },
    },
  ];
  return {
    where: { leases: { dir } },
    troubles,
    open: () => new FileStore({ dir }),
    untilInLine: (name, processes) => untilInLine(join(dir, fileName(name)), processes),
    untilMovedUp: (name, processes) =>
      untilInLine(join(dir, fileName(name)), processes, (n) => n === processes),
    requests: () => readings,
  };
}

await conformance(t, { kind: 'file', rounds: 500, site });
