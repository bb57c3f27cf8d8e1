/**
 * Processes that take leases, under remote control over pipes: with a prefix such as strace, faketime
 * or unshare before them. Every one is ended with its test, and every answer has a deadline.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';

import type { AcquireOptions, BreakOptions, LeaseInfo } from '../../lib/index.js';
import { childEnv, packageRoot } from './peer.js';

const fixture = fileURLToPath(new URL('../fixtures/lease-process.mjs', import.meta.url));
const deadlineMs = 60_000;

export interface LeaseProcessOptions {
  /** The package to import; a mutant, perhaps. */
  root?: string;
  /** What comes before `node` on the command line. */
  prefix?: string[];
  env?: NodeJS.ProcessEnv;
  execArgv?: string[];
}

/** A lease as it crosses a process boundary; `end` is how the one before ended. */
export interface Told {
  key: number;
  name: string;
  id: string;
  token: string;
  end: string | null;
}

export type ToldInfo = Omit<LeaseInfo, 'token'> & { token: string | null };

/** An error as it crosses a process boundary. */
export interface ToldError extends Error {
  code?: string;
  path?: string;
  cause?: { code: string; syscall: string; path: string };
}

interface Reply {
  call: number;
  result?: unknown;
  error?: ToldError;
}

/** It ended before it answered: killed, as it was to be, perhaps. */
export class Ended extends Error {}

type Options = Omit<AcquireOptions, 'signal'>;

export class LeaseProcess {
  readonly ended: Promise<unknown>;
  readonly #child: ChildProcess;
  readonly #calls = new Map<number, (reply: Reply | undefined) => void>();
  #last = 0;
  #gone = false;
  /** Its own, not that of a prefix. */
  pid = 0;

  private constructor(dir: string, options: LeaseProcessOptions) {
    const { root = packageRoot, prefix = [], env = {}, execArgv = [] } = options;
    const command = [...prefix, process.execPath, ...execArgv, fixture, dir];
    const [program = process.execPath, ...args] = command;
    this.#child = spawn(program, args, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...childEnv(root), ...env },
      detached: true, // a group of its own: what a prefix has started ends with it
    });
    this.#child.stdin?.on('error', () => undefined); // EPIPE: `ended` tells
    this.ended = once(this.#child, 'close').then(() => {
      this.#gone = true;
      for (const settle of this.#calls.values()) settle(undefined);
    });
    if (this.#child.stdout === null) throw new Error('no pipe');
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const reply = JSON.parse(line) as Reply;
      this.#calls.get(reply.call)?.(reply);
    });
  }

  static async start(
    t: Test,
    dir: string,
    options: LeaseProcessOptions = {},
  ): Promise<LeaseProcess> {
    const started = new LeaseProcess(dir, options);
    t.teardown(() => started.kill());
    started.pid = (await started.#answer(0)) as number;
    return started;
  }

  acquire(name: string, options: Options = {}): Promise<Told> {
    return this.call('acquire', name, options) as Promise<Told>;
  }

  tryAcquire(name: string, options: Options = {}): Promise<Told | null> {
    return this.call('tryAcquire', name, options) as Promise<Told | null>;
  }

  release({ key }: Pick<Told, 'key'>): Promise<'released' | 'lost'> {
    return this.call('release', key) as Promise<'released' | 'lost'>;
  }

  inspect(name: string): Promise<ToldInfo | null> {
    return this.call('inspect', name) as Promise<ToldInfo | null>;
  }

  break(name: string, how: BreakOptions): Promise<ToldInfo | null> {
    return this.call('break', name, how) as Promise<ToldInfo | null>;
  }

  /** How many descriptors it has open. */
  descriptors(): Promise<number> {
    return this.call('descriptors') as Promise<number>;
  }

  /** @throws {ToldError} what the library threw there; {@link Ended} */
  call(operation: string, ...args: unknown[]): Promise<unknown> {
    const call = ++this.#last;
    this.#child.stdin?.write(`${JSON.stringify({ call, operation, args })}\n`);
    return this.#answer(call);
  }

  /** Ends it and whatever its prefix started. */
  async kill(): Promise<void> {
    if (!this.#gone && this.#child.pid !== undefined) {
      try {
        process.kill(-this.#child.pid, 'SIGKILL');
      } catch {
        // it has just ended
      }
    }
    await this.ended;
  }

  #answer(call: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`no answer to call ${call} within ${deadlineMs} ms`));
      }, deadlineMs);
      this.#calls.set(call, (reply) => {
        clearTimeout(timer);
        this.#calls.delete(call);
        if (reply === undefined) reject(new Ended('the process has ended'));
        else if (reply.error === undefined) resolve(reply.result);
        else reject(Object.assign(new Error(reply.error.message), reply.error));
      });
      if (this.#gone) this.#calls.get(call)?.(undefined);
    });
  }
}
