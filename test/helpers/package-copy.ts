/** Copies of the package: readable for other users, or with a mutant of the addon in it. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Test } from 'tap';

import { packageRoot } from './peer.js';

/** A copy outside of the working tree, with everything that loading the library takes. */
export function copyPackage(t: Test): string {
  const root = mkdtempSync(join(tmpdir(), 'holdfast-copy-'));
  t.teardown(() => {
    rmSync(root, { recursive: true, force: true });
  });
  for (const part of ['lib', 'prebuilds', 'package.json']) {
    cpSync(join(packageRoot, part), join(root, part), { recursive: true });
  }
  const finder = 'node_modules/node-gyp-build';
  cpSync(join(packageRoot, finder), join(root, finder), { recursive: true });
  chmodSync(root, 0o755);
  return root;
}

/** One place in the sources, and what a mutant has there. */
export interface Mutation {
  file: string;
  from: string;
  to: string;
}

/** A copy of the package with mutants in its compiled lib/, and in what is bundled from that. */
export function mutateLibrary(t: Test, mutations: Mutation[]): string {
  const root = copyPackage(t);
  for (const mutation of mutations) mutate(root, mutation);
  execFileSync(process.execPath, [join(packageRoot, 'scripts/bundle.mjs'), root]);
  return root;
}

/** Returns what undoes it. */
function mutate(root: string, { file, from, to }: Mutation): () => void {
  const path = join(root, file);
  const source = readFileSync(path, 'utf8');
  if (source.split(from).length !== 2) throw new Error(`${file} does not hold once: ${from}`);
  writeFileSync(
    path,
    source.replace(from, () => to),
  );
  return () => {
    writeFileSync(path, source);
  };
}

/**
 * Builds wrong addons, one after the other: only what differs is compiled again. `build` returns
 * the root of a copy of the package that has the mutant in it.
 */
export class MutantWorkshop {
  readonly #root: string;

  constructor(t: Test) {
    this.#root = copyPackage(t);
    rmSync(join(this.#root, 'node_modules'), { recursive: true });
    symlinkSync(join(packageRoot, 'node_modules'), join(this.#root, 'node_modules'));
    for (const part of ['native', 'binding.gyp']) {
      cpSync(join(packageRoot, part), join(this.#root, part), { recursive: true });
    }
    this.#gyp('configure');
    this.#gyp('build');
  }

  build(t: Test, mutations: Mutation[]): string {
    const undo = mutations.map((mutation) => mutate(this.#root, mutation));
    try {
      this.#gyp('build');
      const copy = copyPackage(t);
      const [prebuilt] = readdirSync(join(copy, 'prebuilds', host)).filter(suits);
      if (prebuilt === undefined) throw new Error(`nothing prebuilt for ${host}`);
      const mutant = join(this.#root, 'build/Release/holdfast.node');
      cpSync(mutant, join(copy, 'prebuilds', host, prebuilt));
      return copy;
    } finally {
      for (const restore of undo.reverse()) restore();
    }
  }

  #gyp(command: string): void {
    const gyp = join(packageRoot, 'node_modules/node-gyp/bin/node-gyp.js');
    const headers = join(dirname(process.execPath), '..');
    const local = existsSync(join(headers, 'include/node/node_api.h'));
    execFileSync(process.execPath, [gyp, command, ...(local ? [`--nodedir=${headers}`] : [])], {
      cwd: this.#root,
      stdio: 'pipe',
    });
  }
}

const host = `${process.platform}-${process.arch}`;
const suits = (file: string): boolean =>
  file.endsWith('.node') && !(process.platform === 'linux' && file.includes('musl'));
