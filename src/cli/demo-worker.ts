/**
 * Processes of the demo: started together, given their jobs, and reaped whatever happens.
 *
 * Every wait for a process has an end: its answer, its death, the caller's signal, or a silence that
 * is too long. A process that is dismissed leaves by itself when its IPC channel closes, which also
 * happens when the demo is killed; one that does not leave is killed.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { setMaxListeners } from 'node:events';
import { fileURLToPath } from 'node:url';

import { packageRoot } from '../package-root.js';
import type { Answers, Job, Report } from './demo-messages.js';

const program = fileURLToPath(new URL('lib/demo-child.bundle.js', packageRoot));
const silenceLimitMs = 15_000;
const leaveLimitMs = 1_000;

type Final = Exclude<Report, { type: 'progress' }>;
type OnProgress = (written: number) => void;

/**
 * Starts processes, runs `fn` when all of them are ready, and ends them before it returns.
 *
 * @returns what `fn` returns
 * @throws what `fn` throws, `signal.reason`, or an Error when a process fails
 */
export async function withWorkers<T>(
  count: number,
  signal: AbortSignal,
  fn: (workers: Worker[]) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const ours = AbortSignal.any([signal]);
  setMaxListeners(0, ours); // as many listeners as processes is no leak
  const workers: Worker[] = [];
  try {
    while (workers.length < count) workers.push(new Worker(ours));
    await Promise.all(workers.map((worker) => worker.ready));
    const result = await fn(workers);
    ours.throwIfAborted();
    return result;
  } finally {
    await Promise.all(workers.map((worker) => worker.dismiss()));
  }
}

export class Worker {
  readonly #child: ChildProcess;
  readonly #signal: AbortSignal;
  readonly #gone: Promise<void>;
  /** Settles when the process is up and waits for its job. */
  readonly ready: Promise<unknown>;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    this.#child = fork(program, [], {
      execArgv: [],
      serialization: 'advanced', // dates arrive as dates
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#gone = new Promise((resolve) => {
      this.#child.once('exit', () => {
        resolve();
      });
      this.#child.on('error', () => {
        if (this.#child.pid === undefined) resolve();
      });
    });
    this.ready = this.#final();
    this.ready.catch(() => undefined); // nobody awaits it when a later process cannot be started
  }

  /** Gives the process a job; one at a time. */
  async run<J extends Job>(job: J, onProgress?: OnProgress): Promise<Answers[J['kind']]> {
    const final = this.#final(onProgress);
    // A process that is gone fails `final`, which says more than the failed sending.
    this.#child.send(job, () => undefined);
    const report = await final;
    if (report.type !== 'answer') throw new Error(`unexpected report: ${report.type}`);
    return report.answer as Answers[J['kind']];
  }

  /** Ends the process, and returns when it has ended. */
  async dismiss(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), leaveLimitMs);
    await this.#gone;
    clearTimeout(timer);
  }

  async #final(onProgress?: OnProgress): Promise<Final> {
    const child = this.#child;
    this.#signal.throwIfAborted(); // an abort between two jobs is not announced again
    const over = new AbortController();
    return new Promise<Final>((resolve, reject) => {
      const silence = setTimeout(() => {
        reject(new Error(`process ${child.pid ?? '?'} was silent for ${silenceLimitMs} ms`));
      }, silenceLimitMs);
      const onMessage = (report: Report) => {
        silence.refresh();
        if (report.type === 'progress') onProgress?.(report.written);
        else if (report.type === 'failed') reject(new Error(report.message));
        else resolve(report);
      };
      const onExit = (code: number | null, signal: NodeJS.Signals | null) => {
        reject(
          new Error(`a process of the demo ended early (${signal ?? `exit code ${code ?? '?'}`})`),
        );
      };
      const onAbort = () => {
        reject(this.#signal.reason as Error);
      };
      // As with the signal: a death between two jobs is not announced again.
      if (child.exitCode !== null || child.signalCode !== null) {
        onExit(child.exitCode, child.signalCode);
      }
      child.on('message', onMessage);
      child.once('exit', onExit);
      child.once('error', reject);
      this.#signal.addEventListener('abort', onAbort, { once: true });
      over.signal.addEventListener('abort', () => {
        clearTimeout(silence);
        child.off('message', onMessage).off('exit', onExit).off('error', reject);
        this.#signal.removeEventListener('abort', onAbort);
      });
    }).finally(() => {
      over.abort();
    });
  }
}
