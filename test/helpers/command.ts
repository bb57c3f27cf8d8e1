/** The command `holdfast` as a process under control: it is talked to, sent signals, killed. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import type { Test } from 'tap';

import { commandEnv, programCommand } from './cli.js';

/** Longer than anything takes, shorter than tap's patience. */
const deadlineMs = 60_000;

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface CommandOptions {
  /** The folder of the leases. */
  root: string;
  /** The package whose command it is; a mutant, perhaps. */
  from?: string;
  env?: NodeJS.ProcessEnv;
  /** To node, before the program. */
  execArgv?: string[];
}

/** A command under way. What it has started in a session of its own is not ours to end. */
export class Command {
  /** When it is gone and nobody else can write to its pipes either. */
  readonly ended: Promise<Ended>;
  /** When it is gone. */
  readonly exited: Promise<unknown>;
  #stdout = '';
  #stderr = '';

  private constructor(readonly process: ChildProcessByStdio<Writable, Readable, Readable>) {
    process.stdout.setEncoding('utf8').on('data', (text: string) => (this.#stdout += text));
    process.stderr.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    process.stdin.on('error', () => undefined); // it ended without reading
    const signal = AbortSignal.timeout(deadlineMs);
    this.exited = once(process, 'exit', { signal });
    this.ended = once(process, 'close', { signal }).then(([code, by]: unknown[]) => ({
      code: code as number | null,
      signal: by as NodeJS.Signals | null,
      stdout: this.#stdout,
      stderr: this.#stderr,
    }));
    for (const end of [this.exited, this.ended]) end.catch(() => undefined); // told to whoever asks
  }

  static start(t: Test, args: readonly string[], options: CommandOptions): Command {
    const { root, from, env, execArgv = [] } = options;
    const child = spawn(...programCommand(args, from, execArgv), {
      env: commandEnv({ HOLDFAST_ROOT: root, ...env }),
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    t.teardown(() => child.kill('SIGKILL'));
    return new Command(child);
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  /** Resolves when this has been written to stdout; it must not end before. */
  async says(pattern: RegExp): Promise<string> {
    const ended = this.ended.then(() => true);
    for (let over = false; ;) {
      const match = pattern.exec(this.#stdout);
      if (match !== null) return match[1] ?? match[0];
      if (over) throw new Error(`never said ${String(pattern)}, but: ${this.#stderr}`);
      over = await Promise.race([ended, once(this.process.stdout, 'data').then(() => false)]);
    }
  }

  signal(name: NodeJS.Signals): void {
    this.process.kill(name);
  }

  /** Ends its stdin, which is its child's as well. */
  finish(): Promise<Ended> {
    this.process.stdin.end();
    return this.ended;
  }
}

/** Runs it to its end. */
export function runCommand(
  t: Test,
  args: readonly string[],
  options: CommandOptions,
): Promise<Ended> {
  return Command.start(t, args, options).finish();
}

/** Resolves when there is no process of this number. */
export async function untilGone(pid: number): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (isRunning(pid)) {
    if (performance.now() > deadline) throw new Error(`process ${pid} does not end`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** One that nobody has waited for is gone, too: proc(5), the state Z. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
