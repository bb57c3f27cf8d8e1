/**
 * Who is measured. A contender's module has the same few verbs, and says what it can:
 *
 *   acquire(file), release(held)   one lock, waiting for it as long as it takes
 *   lockRelease(file, times)       so many pairs of them
 *   tryRelease(file, times)        the same without a promise, if `can.sync`
 *   can.waits                      how it waits, for people
 *   can.processes                  whether it is between processes at all
 *   can.excludes                   false: two were seen to hold it at once
 *   can.kept                       on a file that stays open: for uncontended loops only
 *   absent                         why it cannot be measured here
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const own = [
  ['holdfast', 'sidecar'],
  ['holdfast, no sidecar', 'bare'],
  ['holdfast lease', 'attached'],
  ['holdfast lease, durable', 'detached'],
  ['holdfast lease, renewal', 'renew'],
].map(([name, form]) => ({ name, form, own: true, path: `./holdfast.mjs?form=${form}` }));

const peers = [
  ['proper-lockfile'],
  ['lockfile'],
  ['fs-ext'],
  ['fs-ext, kept open', 'fs-ext', '?open=kept'],
  ['fs-native-extensions'],
  ['fs-native-extensions, kept open', 'fs-native-extensions', '?open=kept'],
  ['os-lock'],
  ['cross-process-lock (does not exclude)', 'cross-process-lock'],
].map(([name, entry = name, query = '']) => ({ name, entry, path: `./${entry}.mjs${query}` }));

const nodes = [{ name: "Node's own locks (in one process)", path: './web-locks.mjs' }];

const run = promisify(execFile);
const probe = fileURLToPath(new URL('../children/probe.mjs', import.meta.url));

/** All of them, with `version` and `can`; or with `absent`. Their code is only loaded in processes of its own. */
export function findContenders() {
  return Promise.all(
    [...own, ...peers, ...nodes].map(async ({ path, ...contender }) => {
      const module = new URL(path, import.meta.url);
      const { stdout } = await run(process.execPath, [probe, module.href]);
      const { can, absent = null } = JSON.parse(stdout);
      const version = absent === null ? versionOf(contender) : null;
      return { ...contender, module, can, absent, version };
    }),
  );
}

function versionOf({ own, entry }) {
  if (!own && entry === undefined) return process.versions.node;
  const folder = own ? '../..' : `../node_modules/${entry}`;
  const manifest = new URL(`${folder}/package.json`, import.meta.url);
  return JSON.parse(readFileSync(manifest, 'utf8')).version;
}
