// Power cuts. A filesystem of its own, on a loop device, is told to stop as if the power had gone
// (the SHUTDOWN ioctl of ext4 and xfs: what is not on the medium is lost), while two processes take
// leases there as fast as they can. Each grant they have been given is in a log elsewhere, and what
// the medium says after a cut has to agree with it:
//
// - no token comes twice, and none is lower than one that was granted
// - a detached lease that was granted and not given back is still there
// - everything else is free or stale: nothing half written keeps anybody out
//
// Before half of the cuts the boot goes on, as it does when a disk is unplugged, so nothing can hide
// behind a new boot id. Before the others the processes are the first of another boot. A disk that
// lies about a sync, and torn sectors, are not played here.
//
// Usage: run.mjs [--cuts N] [--minutes N] [--fs ext4|xfs] [--seed S]; it ends with the first of both
// limits. HOLDFAST_PACKAGE names the package.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { campaignOptions, generator } from '../campaign.mjs';
import { judgeCut } from './judge.mjs';
import { Worker } from './worker-process.mjs';

const options = campaignOptions(60, {
  cuts: { type: 'string', default: '40' },
  fs: { type: 'string', default: 'ext4' },
});
const { minutes, seed, fs: filesystem } = options;
const limit = Number(options.cuts);
const mkfs = { ext4: ['mkfs.ext4', '-q', '-F'], xfs: ['mkfs.xfs', '-q', '-f'] }[filesystem];
const name = `power cuts on ${filesystem}`;

function missing() {
  if (process.platform !== 'linux' || process.getuid() !== 0) return 'it takes root on Linux';
  for (const program of [mkfs[0], 'losetup', 'python3', 'unshare']) {
    if (spawnSync(program, ['--help']).error !== undefined) return `${program} is not installed`;
  }
  return spawnSync('losetup', ['-f']).status === 0 ? undefined : 'there are no loop devices';
}

// _IOR('X', 125, __u32): 1 writes the log first, 2 drops it. Everything on that filesystem fails from
// then on, so it had better be ours: major number 7 is a loop device.
const shutdown = `
import fcntl, os, struct, sys
fd = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECTORY)
if os.major(os.fstat(fd).st_dev) != 7: sys.exit('not a loop device')
fcntl.ioctl(fd, 0x8004587d, struct.pack('I', int(sys.argv[2])))`;

async function campaign() {
  const random = generator(seed);
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-powercut-'));
  const [image, mount, log, boot] = ['image', 'mount', 'log', 'boot'].map((part) =>
    join(folder, part),
  );
  const dir = join(mount, 'leases');
  mkdirSync(mount);
  execFileSync('truncate', ['-s', '320M', image]);
  execFileSync(mkfs[0], [...mkfs.slice(1), image]);
  const plug = () => execFileSync('mount', ['-o', 'loop', image, mount]);
  plug();
  writeFileSync(boot, `${randomUUID()}\n`);
  execFileSync('mount', ['--bind', boot, '/proc/sys/kernel/random/boot_id']);
  const known = new Map(); // name -> what the log says of its last lease
  const end = performance.now() + minutes * 60_000;
  let cuts = 0;
  const total = { grants: 0, detached: 0, kept: 0, stale: 0, faults: [] };
  try {
    for (; ; cuts++) {
      const witness = new Worker(dir, `${log}-0`, random());
      const faults = judgeCut(known, await witness.answer('check'), total);
      for (const fault of faults) total.faults.push(`cut ${cuts}: ${fault}`);
      await witness.kill();
      if (cuts === limit || performance.now() > end) break;
      execFileSync('sync', ['-f', mount]);
      if (random() < 0.5) writeFileSync(boot, `${randomUUID()}\n`);
      const crew = [new Worker(dir, `${log}-0`, random()), new Worker(dir, `${log}-1`, random())];
      await Promise.all(crew.map((worker) => worker.answer('hello')));
      for (const path of [`${log}-0`, `${log}-1`]) writeFileSync(path, '');
      for (const worker of crew) worker.say('work');
      await new Promise((resolve) => setTimeout(resolve, 10 + random() * 150));
      const how = random() < 0.25 ? 1 : 2;
      execFileSync('python3', ['-c', shutdown, mount, String(how)]);
      for (const worker of crew) await worker.kill();
      unplug(mount);
      for (const worker of crew) worker.readLog(known, total);
      plug();
    }
  } finally {
    unplug(mount);
    unplug('/proc/sys/kernel/random/boot_id');
    rmSync(folder, { recursive: true });
  }
  const { grants, detached, kept, stale, faults } = total;
  for (const fault of faults.slice(0, 20)) console.log(`  ${fault}`);
  console.log(
    `${name}: seed ${seed}, ${cuts} cuts, ${grants} grants (${detached} detached), ` +
      `${kept} detached leases kept, ${stale} stale records, ${faults.length} faults`,
  );
  if (grants < cuts || faults.length > 0) process.exitCode = 1;
}

function unplug(mount) {
  for (let tries = 0; spawnSync('umount', [mount]).status !== 0; tries++) {
    if (tries === 50) throw new Error(`cannot unmount ${mount}`);
    spawnSync('sleep', ['0.1']);
  }
}

if (mkfs === undefined) throw new Error(`--fs is ext4 or xfs, not ${filesystem}`);
const reason = missing();
if (reason !== undefined) console.log(`${name}: SKIPPED, ${reason}`);
else if (process.env.HOLDFAST_OWN_MOUNTS === '1') await campaign();
else {
  // Mounts that end with the process, however it ends.
  const again = ['--mount', process.execPath, fileURLToPath(import.meta.url)];
  const env = { ...process.env, HOLDFAST_OWN_MOUNTS: '1' };
  const args = [...again, ...process.argv.slice(2), '--seed', `${seed}`];
  spawn('unshare', args, { stdio: 'inherit', env }).on('exit', (code) => {
    process.exitCode = code ?? 1;
  });
}
