// The campaigns' side of a process that does what it is told, line by line: JSON in, JSON out. If nothing
// else is said it is test/fixtures/lease-process.mjs, which takes leases.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const leaseProgram = fileURLToPath(new URL('../test/fixtures/lease-process.mjs', import.meta.url));

export class LeaseProcess {
  #child;
  #calls = new Map();
  #last = 0;

  /** @param root the package that it imports; `prefix` what its command line begins with, unshare perhaps */
  constructor(root, dir, env = {}, { program = leaseProgram, prefix = [] } = {}) {
    const [file, ...args] = [...prefix, process.execPath, program, dir];
    this.#child = spawn(file, args, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, NODE_OPTIONS: '', HOLDFAST_PACKAGE: root, ...env },
    });
    this.#child.stdin.on('error', () => undefined);
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const { call, result, error } = JSON.parse(line);
      const settle = this.#calls.get(call);
      this.#calls.delete(call);
      if (error === undefined) settle?.resolve(result);
      else settle?.reject(Object.assign(new Error(error.message), error));
    });
    this.#child.on('exit', () => {
      for (const { reject } of this.#calls.values()) reject(new Error('the process has ended'));
    });
    this.ready = this.#answer(0);
    this.ready.catch(() => undefined);
  }

  /** Of what was spawned. Behind a prefix the program may have another: `ready` tells it. */
  get pid() {
    return this.#child.pid;
  }

  call(operation, ...args) {
    const call = ++this.#last;
    this.#child.stdin.write(`${JSON.stringify({ call, operation, args })}\n`);
    return this.#answer(call);
  }

  async kill() {
    this.#child.kill('SIGKILL');
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      await once(this.#child, 'exit');
    }
  }

  #answer(call) {
    return new Promise((resolve, reject) => this.#calls.set(call, { resolve, reject }));
  }
}
