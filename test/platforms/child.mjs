// test/helpers/peer.ts for runtimes without tap: a process or worker thread that does as it is told.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';

const here = dirname(fileURLToPath(import.meta.url));
export const repository = join(here, '../..');
/** The package that is tried: this one, or where it is installed. */
export const root = resolve(process.env.HOLDFAST_PACKAGE ?? repository);

/** As the package's `exports` name it. */
export const importLibrary = () => import(pathToFileURL(join(root, 'lib/index.bundle.js')).href);

export class Child {
  #calls = new Map();
  #lastCall = 0;

  /** Starts test/fixtures/NAME. */
  static async start(name, { thread = false } = {}) {
    const fixture = join(here, '../fixtures', name);
    const env = { ...process.env, HOLDFAST_PACKAGE: root };
    const child = new Child(
      thread ? new Worker(fixture, { env }) : fork(fixture, { env, serialization: 'advanced' }),
    );
    await child.ready;
    return child;
  }

  constructor(target) {
    this.target = target;
    // Not an event that might come before somebody listens.
    this.ready = new Promise((resolve, reject) => {
      target.once('message', resolve);
      target.once('exit', (code) => reject(new Error(`it ended with ${code} before it was ready`)));
    });
    this.exited = once(target, 'exit');
    target.on('message', ({ call, result, error }) => {
      const { resolve, reject } = this.#calls.get(call) ?? {};
      this.#calls.delete(call);
      if (error === undefined) resolve?.(result);
      else reject?.(Object.assign(new Error(error.message), error));
    });
  }

  call(operation, ...args) {
    const message = { call: ++this.#lastCall, operation, args };
    return new Promise((resolve, reject) => {
      this.#calls.set(message.call, { resolve, reject });
      if (this.target instanceof Worker) this.target.postMessage(message);
      else this.target.send(message);
    });
  }

  /** SIGKILL, TerminateProcess, or the end of a thread in the middle of what it does. */
  async end() {
    if (this.target instanceof Worker) await this.target.terminate();
    else {
      this.target.kill('SIGKILL');
      await this.exited;
    }
  }
}
