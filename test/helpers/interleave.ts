/**
 * Forces what races leave to chance: a rival acts between a look and the swap that follows it.
 *
 * Import this before the library: it puts itself between the library and the addon, whose functions
 * cannot be replaced later.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';

import type { NativeResult, NativeTransaction } from '../../lib/native.js';
import { childEnv } from './peer.js';

/** As src/transaction-request.ts packs them. */
const kinds = { look: 0, grant: 1, renew: 2, replace: 3, remove: 4, freeze: 5, unfreeze: 6 };
const expectsAbsent = 1;
const expectations = 0b11 << 3;
const expectDead = 1 << 7;
const minded = 1 << 8;

/** The swaps that were asked for since, and how they ended. */
export interface Watched {
  readonly verdicts: NativeResult['verdict'][];
}

type Transact = (...request: NativeTransaction) => NativeResult;
type Start = (...request: [...NativeTransaction, finished: () => void]) => unknown;
type Find = (root: string) => { transact: Transact; startTransact: Start };

const require = createRequire(import.meta.url);
const find = require('node-gyp-build') as Find;
let loaded: ReturnType<Find> | undefined;
let hook: Transact | undefined;
let isBlind: (request: readonly [base: string, what: number, ...unknown[]]) => boolean = () =>
  false;

const finder = require.cache[require.resolve('node-gyp-build')];
if (finder !== undefined) {
  finder.exports = (root: string) => {
    loaded = find(root);
    const hooked: Transact = (...request) => (hook ?? transact)(...request);
    return { ...loaded, transact: hooked, startTransact };
  };
}

const transact: Transact = (...request) => {
  if (isBlind(request)) blind(request);
  return addon().transact(...request);
};

/** On a thread, if it would have to wait. */
const startTransact: Start = (...request) => {
  if (isBlind(request)) blind(request);
  return addon().startTransact(...request);
};

function addon(): ReturnType<Find> {
  if (loaded === undefined) throw new Error('import interleave.js before the library');
  return loaded;
}

/** To expect nothing. */
function blind(request: [...NativeTransaction, ...unknown[]]): void {
  request[1] &= ~(expectations | expectDead | minded);
  request[3] = request[4] = null;
}

/**
 * The next swap of this kind that expects a record waits, this thread with it, until the rival has
 * acted. `unseeing`: it is carried out whatever is there, as by a library that does not compare.
 */
export function beforeSwap(
  t: Test,
  kind: keyof typeof kinds,
  rival: () => void,
  { unseeing = false } = {},
): Watched {
  addon();
  const verdicts: Watched['verdicts'] = [];
  const isSuch = ([, what]: readonly [base: string, what: number, ...unknown[]]): boolean =>
    (what & 0b111) === kinds[kind] && (what & expectations) >> 3 !== expectsAbsent;
  let armed = true;
  hook = (...request) => {
    if (!isSuch(request)) return transact(...request);
    if (armed) {
      armed = false;
      rival();
      if (unseeing) isBlind = isSuch;
    }
    const result = transact(...request);
    verdicts.push(result.verdict);
    return result;
  };
  t.teardown(() => {
    hook = undefined;
    isBlind = () => false;
  });
  return { verdicts };
}

/** How many transactions have been asked for since, threads of their own not counted. */
export function countTransactions(t: Test): () => number {
  addon();
  let count = 0;
  hook = (...request) => {
    count++;
    return transact(...request);
  };
  t.teardown(() => {
    hook = undefined;
  });
  return () => count;
}

/** Compared, and found another state than was judged: `Verdict` of src/native.ts. */
export const conflict = 1;

const fixture = fileURLToPath(new URL('../fixtures/lease-rival.mjs', import.meta.url));
const deadlineMs = 60_000;

/** Another process, which does as it is told while this thread stands still. */
export class Rival {
  readonly #requests: number;
  readonly #answers: number;
  readonly #child: ChildProcess;

  constructor(t: Test) {
    // Pipes that can be read and written at once, which those of child_process cannot.
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-rival-'));
    const open = (name: string): number => {
      const path = join(folder, name);
      execFileSync('mkfifo', [path]);
      return openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    };
    this.#requests = open('requests');
    this.#answers = open('answers');
    rmSync(folder, { recursive: true });
    const stdio = [this.#requests, this.#answers, 'inherit'] as const;
    const child = spawn(process.execPath, [fixture], { env: childEnv(), stdio: [...stdio] });
    const exited = once(child, 'exit');
    this.#child = child;
    t.teardown(async () => {
      child.kill('SIGKILL');
      await exited;
      closeSync(this.#requests);
      closeSync(this.#answers);
    });
  }

  /** What came of these operations of `Leases`, one after the other. */
  act(
    where: { leases: { dir: string; owner?: string }; clock: number },
    operations: readonly [operation: string, ...args: unknown[]][],
  ): unknown[] {
    writeSync(this.#requests, `${JSON.stringify({ ...where, operations })}\n`);
    const { results, error } = JSON.parse(this.#line()) as { results: unknown[]; error?: string };
    if (error !== undefined) throw new Error(`the rival: ${error}`);
    return results;
  }

  /** SIGKILL; returns when it has taken effect. The process cannot be reaped before this thread goes on. */
  die(): void {
    this.#child.kill('SIGKILL');
    const ps = ['-o', 'stat=', '-p', `${this.#child.pid ?? 0}`];
    const deadline = performance.now() + deadlineMs;
    while (!/^Z|^$/.test(spawnSync('ps', ps, { encoding: 'utf8' }).stdout.trim())) {
      if (performance.now() > deadline) throw new Error('the rival does not die');
    }
  }

  #line(): string {
    const deadline = performance.now() + deadlineMs;
    const buffer = Buffer.alloc(65_536);
    for (let text = ''; performance.now() < deadline;) {
      try {
        text += buffer.toString('utf8', 0, readSync(this.#answers, buffer));
        if (text.endsWith('\n')) return text;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
      }
    }
    throw new Error('no answer from the rival');
  }
}
