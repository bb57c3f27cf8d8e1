/** The command: in this process, which is fast, or as its users run it. */
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { join } from 'node:path';
import { Writable } from 'node:stream';

import { main } from '../../lib/cli/main.js';
import { packageRoot } from './peer.js';

/** How a command ended. */
export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Nothing of the environment of the tests; `HOLDFAST_ROOT` is the folder of the leases. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Longer than anything takes, shorter than tap's patience. */
const deadlineMs = 60_000;

/** Runs `main` in this process, as if stdout and stderr were pipes. */
export async function callMain(words: readonly string[], env: Environment): Promise<Ended> {
  const output = new Sink();
  const errors = new Sink();
  const code = await main(words, { output, errors, env });
  return { code, out: output.text, err: errors.text };
}

class Sink extends Writable {
  text = '';

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

/** The program of a package; by default of this one. */
export function programOf(root: string = packageRoot): string {
  return join(root, 'lib/holdfast.bundle.cjs');
}

/** The variables that a command gets: those of the tests would name a root and an owner. */
export function commandEnv(env: Environment): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(HOLDFAST|LOKT)_/.test(name));
  return { ...Object.fromEntries(own), ...env };
}

/** The program and its arguments, to be spawned. */
export function programCommand(
  words: readonly string[],
  root?: string,
  nodeOptions: readonly string[] = [],
): [file: string, args: string[]] {
  return [process.execPath, [...nodeOptions, programOf(root), ...words]];
}

/** Runs the program in a process of its own. */
export function runProgram(
  words: readonly string[],
  env: Environment,
  {
    root,
    started,
    ...options
  }: SpawnOptions & { root?: string; started?: (child: ChildProcess) => void } = {},
): Promise<Ended> {
  const child = spawn(...programCommand(words, root), {
    timeout: deadlineMs,
    killSignal: 'SIGKILL',
    ...options,
    env: commandEnv(env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started?.(child);
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('close', (code) => {
      resolve({ code, out, err });
    });
  });
}
