// The campaign's side of a worker: starts it, talks to it, reads its log.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('worker.mjs', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
const deadlineMs = 60_000;

export class Worker {
  #child;
  #log;
  #lines;
  #ended;

  constructor(dir, log, seed) {
    this.#log = log;
    const env = { HOLDFAST_PACKAGE: root, ...process.env, NODE_OPTIONS: '' };
    const args = [program, dir, log, String(Math.floor(seed * 2 ** 31))];
    this.#child = spawn(process.execPath, args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdin.on('error', () => undefined);
    this.#ended = once(this.#child, 'close');
    this.#lines = createInterface({ input: this.#child.stdout });
  }

  say(word) {
    this.#child.stdin.write(`${word}\n`);
  }

  async answer(word) {
    this.say(word);
    const signal = AbortSignal.timeout(deadlineMs);
    const [line] = await Promise.race([
      once(this.#lines, 'line', { signal }),
      this.#ended.then(() => Promise.reject(new Error(`a worker ended before it answered`))),
    ]);
    return JSON.parse(line);
  }

  async kill() {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  /** The last lease of each name, by what was answered before the cut. */
  readLog(known, total) {
    for (const line of readFileSync(this.#log, 'utf8').split('\n')) {
      const [what, name, text] = line.split(' ');
      if (text === undefined) continue;
      const token = BigInt(text);
      const last = known.get(name);
      if (what === 'attached' || what === 'detached') total.grants++;
      if (what === 'detached') total.detached++;
      if (last !== undefined && token < last.token) continue; // the other one was granted a later one
      // "giving": it has begun to be given back, or to be changed.
      known.set(name, { token, kept: what === 'detached' || what === 'detach' });
    }
  }
}
