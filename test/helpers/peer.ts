/**
 * Other processes and worker threads, under remote control. Every one is ended with its test, and
 * every answer has a deadline.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Test } from 'tap';

import type { LockOptions } from '../../lib/index.js';

const fixtures = new URL('../fixtures/', import.meta.url);
export const packageRoot = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/** The environment of every child. */
export function childEnv(root: string = packageRoot): NodeJS.ProcessEnv {
  return { ...process.env, HOLDFAST_PACKAGE: root };
}

/** Longer than anything takes, shorter than tap's patience. */
const deadlineMs = 60_000;

export interface PeerOptions {
  /** A worker thread of this process instead of a process. */
  thread?: boolean;
  /** The package to import; a mutant, perhaps. */
  root?: string;
  uid?: number;
  /** Another program of test/fixtures that speaks as peer.mjs does. */
  fixture?: string;
  execArgv?: string[];
}

export interface Counted {
  values: number[];
  intervals: [number, number][];
}

interface HolderMessage {
  owner: string;
  pid: number;
  host: string;
  command: string;
  since: string;
}

/** An error as it crosses a process boundary. */
export interface PeerError extends Error {
  code?: string;
  holder?: HolderMessage | null;
  cause?: { code: string; syscall: string };
}

interface Reply {
  ready?: true;
  call: number;
  result?: unknown;
  error?: PeerError;
}

export class Peer {
  readonly pid: number | undefined;
  #lastCall = 0;
  readonly #calls = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (e: Error) => void }
  >();
  readonly exited: Promise<unknown>;

  private constructor(readonly target: ChildProcess | Worker) {
    this.pid = target instanceof Worker ? undefined : target.pid;
    this.exited = once(target, 'exit');
    target.on('message', (reply: Reply) => {
      const call = this.#calls.get(reply.call);
      this.#calls.delete(reply.call);
      if (reply.error === undefined) call?.resolve(reply.result);
      else call?.reject(Object.assign(new Error(reply.error.message), reply.error));
    });
  }

  static async start(t: Test, options: PeerOptions = {}): Promise<Peer> {
    const { thread = false, root = packageRoot, uid, execArgv = [] } = options;
    const env = childEnv(root);
    const fixture = fileURLToPath(new URL(options.fixture ?? 'peer.mjs', fixtures));
    const target = thread
      ? new Worker(fixture, { env, execArgv })
      : fork(fixture, {
          execArgv,
          env,
          serialization: 'advanced',
          ...(uid === undefined ? {} : { uid, gid: uid }),
        });
    const peer = new Peer(target);
    t.teardown(() => peer.end());
    const [first] = (await once(target, 'message', {
      signal: AbortSignal.timeout(deadlineMs),
    })) as [Reply];
    if (first.ready !== true) throw new Error('the peer did not say that it is ready');
    return peer;
  }

  static startAll(t: Test, count: number, options?: PeerOptions): Promise<Peer[]> {
    return Promise.all(Array.from({ length: count }, () => Peer.start(t, options)));
  }

  lock(
    resource: string,
    options?: Omit<LockOptions, 'signal'>,
  ): Promise<{ id: number; previous: HolderMessage | null }> {
    return this.call('lock', resource, options) as ReturnType<Peer['lock']>;
  }

  lockSync(resource: string, options: LockOptions): Promise<{ id: number }> {
    return this.call('lockSync', resource, options) as Promise<{ id: number }>;
  }

  tryLock(resource: string, options?: LockOptions): Promise<{ id: number } | null> {
    return this.call('tryLock', resource, options) as Promise<{ id: number } | null>;
  }

  async release(id: number): Promise<void> {
    await this.call('release', id);
  }

  count(
    file: string,
    times: number,
    options?: LockOptions & { unlink?: boolean },
  ): Promise<Counted> {
    return this.call('count', file, times, options) as Promise<Counted>;
  }

  call(operation: string, ...args: unknown[]): Promise<unknown> {
    const call = ++this.#lastCall;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`no answer to ${operation} within ${deadlineMs} ms`));
      }, deadlineMs);
      timer.unref();
      const settle =
        <V>(then: (value: V) => void) =>
        (value: V) => {
          clearTimeout(timer);
          then(value);
        };
      this.#calls.set(call, { resolve: settle(resolve), reject: settle(reject) });
      const message = { call, operation, args };
      if (this.target instanceof Worker) this.target.postMessage(message);
      else this.target.send(message);
    });
  }

  signal(name: NodeJS.Signals): void {
    if (this.target instanceof Worker) throw new Error('a thread takes no signals');
    this.target.kill(name);
  }

  async end(): Promise<void> {
    if (this.target instanceof Worker) await this.target.terminate();
    else this.target.kill('SIGKILL');
    await this.exited;
  }
}
