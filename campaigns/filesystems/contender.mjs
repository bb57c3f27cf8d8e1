// Takes a lease and a file lock, again and again, and notes who is in, without asking the library: by
// a file that must not exist yet, in a folder that is ordinary memory or disk.
//
// Usage: contender.mjs FOLDER WITNESS SEED. Each line of its output is a grant, or a fault.
import {
  existsSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { generator } from '../../test/fixtures/random.mjs';

const root = pathToFileURL(`${process.env.HOLDFAST_PACKAGE}/`);
const { Leases, lock } = await import(new URL('lib/index.js', root));
const [folder, witness, seed] = process.argv.slice(2);
const random = generator(Number(seed));
const network = process.env.NETWORK;
const leases = new Leases({ dir: join(folder, 'leases'), network });

const exiting = 4; // PF_EXITING, which comes before its locks go (proc_pid_stat(5), "flags")

/** Who died inside has left its link; its pid may live on until its parent has heard of it. */
function isDead(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' || (Number(fields[6]) & exiting) !== 0;
  } catch {
    return true;
  }
}

/** A link, which comes into being together with what it says. */
function enter(path) {
  try {
    symlinkSync(String(process.pid), path);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
  try {
    if (!isDead(Number(readlinkSync(path)))) return false;
    rmSync(path);
    symlinkSync(String(process.pid), path);
    return true;
  } catch {
    return false; // removed or made by somebody else, who was inside as well
  }
}

async function inside(kind, token) {
  const path = join(witness, kind);
  if (!enter(path)) {
    console.log(`overlap ${kind}`);
    return;
  }
  const last = join(witness, `${kind}-token`);
  if (token !== undefined) {
    const before = existsSync(last) ? BigInt(readFileSync(last, 'utf8')) : 0n;
    if (token <= before) console.log(`token ${token} after ${before}`);
    writeFileSync(`${last}.${process.pid}`, String(token));
    renameSync(`${last}.${process.pid}`, last);
  }
  if (random() < 0.5) await new Promise((resolve) => setTimeout(resolve, 1));
  rmSync(path, { force: true });
}

async function take() {
  if (random() < 0.5) {
    const held = await lock(join(folder, 'data'), { network });
    await inside('lock');
    held.release();
    return 'grant lock';
  }
  const ttl = random() < 0.5 ? '1h' : undefined;
  const lease = await leases.acquire('it', { ttl });
  await inside('lease', lease.token);
  const end = await lease.release();
  return end === 'released' ? 'grant lease' : `release: ${end}`;
}

for (;;) console.log(await take().catch((error) => `error: ${error.message}`));
