// Users and containers: three users with three umasks in open and sticky folders; processes in
// namespaces of their own; pids that are used again. It takes root.
//
// What has to be: who holds keeps all others out, wherever they are; who dies is followed at once; who
// may not is told so by call, error and path; and no pid decides anything.
//
// First a package that believes in pids is tried: unless that is noticed, the rest proves nothing.
//
// Usage: run.mjs [--reuses N] [--minutes N] [--seed S]; there is nothing random in it, and the pids end
// after so many minutes.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { brokenPackage, campaignOptions, readablePackage, testedRoot } from '../campaign.mjs';
import { believesPids } from '../../test/fixtures/pid-mutant.mjs';
import { tryNamespaces } from './namespaces.mjs';
import { tryUsers } from './users.mjs';

const options = campaignOptions(30, { reuses: { type: 'string', default: '100' } });
const pids = fileURLToPath(new URL('pids.mjs', import.meta.url));

const mine = spawnSync('unshare', ['--pid', '--time', '--user', '--fork', 'true']);
if (process.getuid() !== 0 || mine.status !== 0) {
  console.log('containers: SKIPPED, it takes root that may have namespaces of its own');
  process.exit();
}

const folder = mkdtempSync(join(tmpdir(), 'holdfast-containers-'));
chmodSync(folder, 0o755);
let faults = 0;
let checks = 0;
const report = (holds, what) => {
  checks++;
  if (holds) return;
  faults++;
  console.log(`  FAULT ${what}`);
};

function reusePids(root, times) {
  const where = mkdtempSync(join(folder, 'pids-'));
  const unshare = ['--pid', '--fork', '--mount-proc', '--kill-child'];
  const command = [process.execPath, pids, root, where, String(times)];
  const timeout = options.minutes * 60_000;
  const env = { ...process.env, NODE_OPTIONS: '' };
  return JSON.parse(
    execFileSync('unshare', [...unshare, ...command], { timeout, env, encoding: 'utf8' }),
  );
}

try {
  const broken = brokenPackage(believesPids);
  try {
    const caught = reusePids(broken.root, 2).faults.some((fault) => fault.includes('is denied'));
    console.log(`pids believed: ${caught ? 'caught' : 'NOT caught'}`);
    if (!caught) process.exitCode = 1;
  } finally {
    broken.remove();
  }
  const { reused, faults: ofPids } = reusePids(testedRoot, Number(options.reuses));
  for (const fault of ofPids) report(false, fault);
  const readable = readablePackage();
  try {
    await tryNamespaces({ root: testedRoot, folder, report });
    await tryUsers({ ...readable, folder, report });
  } finally {
    readable.remove();
  }
  console.log(`containers: ${reused} pids used again, ${checks} checks, ${faults} faults`);
  if (faults > 0 || reused === 0) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
