/** Runs a script under strace(1), and says what it asked of the kernel. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';

/** A machine without strace cannot run these tests; `.ci/run` installs it. */
export const hasStrace = spawnSync('strace', ['-V']).status === 0;

/**
 * Runs an ES module under strace. `calls` are those to be seen; `inject` is strace's option of that
 * name; `path` restricts both to calls on that file, or these. One thread in libuv's pool, because strace counts the n-th call for each thread.
 */
export function runTraced(
  t: Test,
  script: string,
  { calls, inject, path = [] }: { calls: string; inject?: string; path?: string | string[] },
): { trace: string[]; stdout: string } {
  const log = join(t.testdirName, '..', `strace-${process.pid}-${Math.random()}`);
  const args = ['-f', '-y', '-qq', '-o', log, '-e', `trace=${calls}`];
  if (inject !== undefined) args.push('-e', `inject=${inject}`);
  for (const each of [path].flat()) args.push('-P', each);
  const result = spawnSync(
    'strace',
    [...args, process.execPath, '--input-type=module', '-e', script],
    {
      encoding: 'utf8',
      env: { ...process.env, UV_THREADPOOL_SIZE: '1' },
    },
  );
  if (result.error !== undefined) throw result.error;
  const trace = readFileSync(log, 'utf8').split('\n');
  return { trace, stdout: result.stdout };
}

/** The lines that name a file by exactly this path, as an argument or as a descriptor. */
export function callsOf(trace: string[], path: string): string[] {
  return trace.filter((line) => line.includes(`"${path}"`) || line.includes(`<${path}>`));
}
