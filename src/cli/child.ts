/**
 * A command as a child process: started, sent signals, ended.
 *
 * It keeps this process's stdin, stdout and stderr. If stdin is a terminal it stays in our process
 * group, for only the group in the foreground may read from the terminal; what the terminal sends at
 * Ctrl-C and Ctrl-\ reaches it without us. Otherwise it is put into a session of its own, so that it
 * and all that it starts can be sent a signal at once.
 *
 * A signal that we were sent goes there and no further. When the command is to be stopped for good,
 * whoever has left its group, or never had one, is looked for as well (kin.ts).
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { fstatSync, readFileSync } from 'node:fs';
import { isatty } from 'node:tty';

import { addon } from '../native.js';
import { notExecutable, notFoundCommand, signalExitCode } from './exit-codes.js';
import { Kin } from './kin.js';

/** Want of something else than a command that can be run. */
const shortages = new Set(['EAGAIN', 'EMFILE', 'ENFILE', 'ENOMEM']);

/** The longest delay setTimeout takes; a longer one would fire at once. */
const maxDelay = 2 ** 31 - 1;

/** How often to see whether a process that was told to end is gone. */
const lookMs = 20;

/**
 * Where the child finds the descriptor that it inherits, or the first number above that is not taken;
 * below, where the limit (RLIMIT_NOFILE) is lower. Scripts redirect 3 to 9 without looking, shells keep their own above 10 and below 64; and a child
 * that is Node.js closes the low ones before it starts another program.
 */
const inheritedAt = 99;

const windows = process.platform === 'win32';

/** What a child is given besides the terminal. */
export interface Inheritance {
  readonly env: NodeJS.ProcessEnv;
  /** Kept open by the child, and by whoever it starts. */
  readonly descriptor: number | undefined;
}

/** How it ended: an exit code, and what the system said when it did not even start. */
export interface End {
  readonly code: number;
  readonly failure?: { readonly message: string; readonly code: string };
}

/** It is put into a session of its own, where the keys of a terminal do not reach it. */
export function childIsApart(): boolean {
  return !isatty(0) && !windows;
}

export class Child {
  readonly ended: Promise<End>;
  readonly #process: ChildProcess | undefined;
  readonly #group: boolean;
  readonly #terminal: boolean;

  constructor([file = '', ...args]: readonly string[], { env, descriptor }: Inheritance) {
    this.#terminal = isatty(0);
    this.#group = childIsApart();
    const stdio: ('inherit' | 'ignore' | number)[] = ['inherit', 'inherit', 'inherit'];
    if (descriptor !== undefined) {
      const at = freeNumber();
      while (stdio.length < at) stdio.push('ignore'); // nothing is opened there
      stdio.push(descriptor);
    }
    try {
      this.#process = spawn(file, args, { env, stdio, detached: this.#group });
      this.ended = ending(this.#process, file);
      // It may have ended by now, and then cannot be bound to us; no other failure is known.
      if (this.#process.pid !== undefined) addon.dieWithUs(this.#process.pid);
    } catch (error) {
      this.ended = Promise.resolve(notStarted(error, file));
    }
  }

  /**
   * Keeps it stopped for as long as `fn` runs. By STOP: the kernel lets nobody be stopped by TSTP whom
   * no shell could continue, and so nobody in a session of its own.
   */
  pause(fn: () => void): void {
    this.#send('SIGSTOP');
    fn();
    this.#send('SIGCONT');
  }

  /** Passes a signal on that we were sent. */
  pass(signal: NodeJS.Signals): void {
    // Whoever presses a key means what is in the foreground, and all of that has got it already.
    const fromKeys = signal === 'SIGINT' || signal === 'SIGQUIT';
    if (windows || (this.#terminal && fromKeys)) return;
    this.#send(signal);
  }

  /**
   * SIGTERM, and after a while SIGKILL; resolves when all that can be reached is gone or killed. By the
   * variable `NAME=value`, which nobody else was given, those are known that are out of sight.
   */
  async stop(killAfterMs: number, variable: string): Promise<void> {
    const deadline = performance.now() + Math.min(killAfterMs, maxDelay);
    const kin = new Kin(variable);
    kin.look();
    // One that is stopped would not hear the first.
    for (const signal of ['SIGTERM', 'SIGCONT'] as const) this.#tell(kin, signal);
    const anyRuns = (): boolean => this.#send(0) || kin.running.length > 0;
    for (let left = killAfterMs; left > 0 && anyRuns(); left = deadline - performance.now()) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(lookMs, left)));
    }
    // Who is stopped starts nobody, and stays the parent that others are known by, until all are found.
    kin.look();
    do this.#tell(kin, 'SIGSTOP');
    while (kin.look().length > 0);
    this.#tell(kin, 'SIGKILL');
    await this.ended;
  }

  /** To the child or its group, and to those of its kin that this does not reach. */
  #tell(kin: Kin, signal: NodeJS.Signals): void {
    const { running } = kin;
    this.#send(signal);
    const us = this.#process?.pid;
    for (const { pid, group } of running) {
      if (us !== (this.#group ? group : pid)) sent(() => process.kill(pid, signal));
    }
  }

  /** False when nobody is left to be sent anything. */
  #send(signal: NodeJS.Signals | 0): boolean {
    const { pid } = this.#process ?? {};
    if (pid === undefined) return false;
    // By way of its object, for a number may be given away again; that of a group is not as long as
    // somebody is in it.
    return sent(() =>
      this.#group ? process.kill(-pid, signal) : (this.#process?.kill(signal) ?? false),
    );
  }
}

/** False when there is nobody, or when the system has no such signal. */
function sent(send: () => boolean): boolean {
  try {
    return send();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function ending(process: ChildProcess, file: string): Promise<End> {
  return new Promise((resolve) => {
    // Node reports an end by a real-time signal as exit code 0; nothing tells the two apart.
    process.once('exit', (code, signal) => {
      resolve({ code: signal === null ? (code ?? 0) : signalExitCode(signal) });
    });
    process.on('error', (error) => {
      if (process.pid === undefined) resolve(notStarted(error, file)); // else a signal was not sent
    });
  });
}

function notStarted(error: unknown, file: string): End {
  const { code = 'UNKNOWN', message } = error as NodeJS.ErrnoException;
  const end = (exitCode: number, why: string): End => {
    return { code: exitCode, failure: { message: why, code } };
  };
  if (code === 'ENOENT' || file === '') return end(notFoundCommand, `${file}: not found`);
  if (code === 'EACCES') return end(notExecutable, `${file}: permission denied`);
  return end(shortages.has(code) ? 1 : notExecutable, message);
}

function freeNumber(): number {
  // Above it libuv needs one for a moment.
  const highest = descriptorLimit() - 2;
  const step = inheritedAt > highest ? -1 : 1;
  for (let number = Math.min(inheritedAt, highest); ; number += step) {
    try {
      fstatSync(number); // a guard in a guard has inherited one
    } catch {
      return number;
    }
  }
}

/** How many descriptors a process may have. */
function descriptorLimit(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    return Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Infinity);
  } catch {
    return Infinity; // another system
  }
}
