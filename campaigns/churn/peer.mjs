// The campaign's side of a process that serves operations (test/fixtures/serve.mjs).
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export class Peer {
  #child;
  #calls = new Map();
  #last = 0;

  /** @param root the package that it imports */
  static async start(program, root) {
    const peer = new Peer();
    const path = fileURLToPath(new URL(program, import.meta.url));
    peer.#child = fork(path, {
      execArgv: ['--expose-gc'],
      serialization: 'advanced',
      env: { ...process.env, NODE_OPTIONS: '', HOLDFAST_PACKAGE: root },
    });
    peer.#child.on('message', ({ call, result, error }) => {
      const settle = peer.#calls.get(call);
      peer.#calls.delete(call);
      if (error === undefined) settle?.resolve(result);
      else settle?.reject(Object.assign(new Error(error.message), error));
    });
    peer.#child.on('exit', (code, signal) => {
      for (const { reject } of peer.#calls.values()) {
        reject(new Error(`the process has ended: ${code ?? signal}`));
      }
    });
    await once(peer.#child, 'message');
    return peer;
  }

  call(operation, ...args) {
    const call = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#calls.set(call, { resolve, reject });
      this.#child.send({ call, operation, args });
    });
  }

  async kill() {
    this.#calls.clear();
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}
