/**
 * What an installation brings: bytes on disk, and packages. A contender is walked as npm has installed
 * it, with what it depends on; of holdfast, what `npm pack` would put into the tarball.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { row } from '../lib/rounds.mjs';

export const title = 'size';

const ours = fileURLToPath(new URL('../..', import.meta.url));
const theirs = fileURLToPath(new URL('..', import.meta.url));

export function measure({ contenders }) {
  const rows = [];
  for (const { name, own, entry, can } of contenders) {
    if (own ? name !== 'holdfast' : entry === undefined || can.kept) continue;
    const dependencies = closure(
      own ? ours : theirs,
      own ? manifest(ours) : { dependencies: { [entry]: '' } },
    );
    const bytes = dependencies.reduce(
      (sum, folder) => sum + bytesOf(folder),
      own ? packedSize() : 0,
    );
    const of = (value) => ({ contender: name, values: [value], failure: null });
    rows.push(row('installed size', 'KiB', of(bytes / 1024)));
    rows.push(row('packages', '', of(dependencies.length + (own ? 1 : 0))));
  }
  return rows;
}

/** The folders of all packages that are installed for these dependencies. */
function closure(root, { dependencies = {} }, found = new Set()) {
  for (const name of Object.keys(dependencies)) {
    const folder = join(root, 'node_modules', name);
    if (!existsSync(folder) || found.has(folder)) continue;
    found.add(folder);
    closure(root, manifest(folder), found);
  }
  return [...found];
}

const manifest = (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));

/** What was compiled for one of them counts: an installation compiles it. */
function bytesOf(path) {
  const info = lstatSync(path);
  if (!info.isDirectory()) return info.size;
  return readdirSync(path).reduce((sum, name) => sum + bytesOf(join(path, name)), 0);
}

function packedSize() {
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const { stdout } = spawnSync('npm', args, { cwd: ours, encoding: 'utf8' });
  const answer = JSON.parse(stdout);
  const [{ unpackedSize }] = Object.values(answer);
  return unpackedSize;
}
