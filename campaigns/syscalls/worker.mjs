// The process that is hurt: it does one operation after the other, each with a plan of its own.
// Usage: worker.mjs PLAN; then lines of JSON on its input.
import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createInterface } from 'node:readline';

import { PlanFile } from './plan.mjs';
import { scenarios } from './scenarios.mjs';

const library = await import(pathToFileURL(`${process.env.HOLDFAST_PACKAGE}/lib/index.js`));
const plan = new PlanFile(process.argv[2]);
let world;
let scenario;
let opened;

/** What is open, the descriptors aside by which libuv watches folders, once for all. */
function descriptors() {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.startsWith('anon_inode:') ? [] : [target];
    } catch {
      return []; // the one that has read the folder
    }
  });
}

const operations = {
  async prepare(number, dir, told) {
    scenario = scenarios[number];
    world = {
      library,
      leases: new library.Leases({ dir: join(dir, 'leases') }),
      resource: join(dir, 'data'),
      told,
    };
    opened = descriptors();
    await scenario.prepare?.(world);
  },

  async run(point) {
    const answer = {};
    plan.arm(point);
    try {
      answer.value = (await scenario.act(world)) ?? null;
      answer.at = Number(process.hrtime.bigint() / 1000n);
    } catch ({ name, message, code, path, cause, stack }) {
      const { code: error, syscall, path: of } = cause ?? {};
      answer.error = {
        name,
        message,
        code,
        path,
        stack,
        cause: { code: error, syscall, path: of },
      };
    }
    return { ...answer, ...plan.disarm(), held: world.lease?.held ?? world.lock?.held ?? false };
  },

  /** Releases what is held; what then is open that was not before. */
  async finish() {
    let released;
    if (world.lease !== undefined) {
      released = await world.lease.release().catch((error) => `${error.code}: ${error.message}`);
    }
    world.lock?.release();
    // A thread that waited, or a watch, ends a moment later.
    let left;
    const until = performance.now() + 1000;
    do {
      left = descriptors();
      for (const each of opened) if (left.includes(each)) left.splice(left.indexOf(each), 1);
      if (left.length > 0) await new Promise((resolve) => setTimeout(resolve, 2));
    } while (left.length > 0 && performance.now() < until);
    return { released, left };
  },
};

createInterface({ input: process.stdin }).on('line', async (line) => {
  const { call, operation, args } = JSON.parse(line);
  const reply = { call };
  try {
    reply.result = (await operations[operation](...args)) ?? null;
  } catch (error) {
    reply.error = { message: error.stack };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
});
process.stdout.write(`${JSON.stringify({ call: 0, result: process.pid })}\n`);
