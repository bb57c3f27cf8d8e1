// The calls of a process as strace(1) sees them: whether there are any that faults.c does not.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

import { calls } from './plan.mjs';

/** Other names for the calls of plan.mjs. */
const aliases = {
  open: 'openat',
  stat: 'newfstatat',
  fstat: 'newfstatat',
  lstat: 'newfstatat',
  statx: 'newfstatat',
  read: 'pread64',
  write: 'pwrite64',
  fdatasync: 'fsync',
  renameat: 'rename',
  renameat2: 'rename',
  unlinkat: 'unlink',
  mkdirat: 'mkdir',
  readlinkat: 'readlink',
  fstatfs: 'statfs',
};
/** What scandir(3) of glibc makes of one call of ours, out of reach of a library in front of it. */
const scandir = { openat: 1, newfstatat: 1, getdents64: 1, close: 1 };

export class Trace {
  #strace;
  #log;
  #ended;

  static async of(victim, log) {
    const trace = new Trace();
    trace.#log = log;
    const args = [
      '-f',
      '-y',
      '-o',
      log,
      '-e',
      'trace=%file,%desc',
      '-p',
      String(victim.process.pid),
    ];
    trace.#strace = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    trace.#ended = once(trace.#strace, 'exit');
    await Promise.race([
      once(trace.#strace.stderr, 'data'), // "attached"
      trace.#ended.then(() => Promise.reject(new Error('strace does not attach'))),
    ]);
    trace.#strace.stderr.resume();
    return trace;
  }

  /** `counts`: of each operation that has run since, in order. What differs. */
  async compare(under, counts) {
    this.#strace.kill('SIGINT');
    await this.#ended;
    const operations = segments(readFileSync(this.#log, 'latin1'), `${under}/`);
    if (operations.length !== counts.length)
      throw new Error(`${operations.length} operations traced`);
    return operations.flatMap((seen, number) => {
      const ours = new Map(calls.map(({ name }, call) => [name, counts[number][call]]));
      const folders = ours.get('getdents64');
      for (const [name, each] of Object.entries(scandir)) {
        ours.set(name, ours.get(name) + folders * each);
      }
      return [...new Set([...seen.keys(), ...ours.keys()])]
        .filter((name) => name !== 'clone' && (seen.get(name) ?? 0) !== (ours.get(name) ?? 0))
        .map((name) => ({
          number,
          what: `strace sees ${seen.get(name) ?? 0} ${name}, we ${ours.get(name) ?? 0}`,
        }));
    });
  }
}

/** How often each call on files beneath the folder was made while the plan was armed. */
function segments(log, beneath) {
  const operations = [];
  let current;
  // A line ends with " <unfinished ...>" where another thread has something to tell meanwhile.
  for (const line of log.split('\n')) {
    if (/ pwrite64\(\d+<[^>]*\/plan-[\d.]+>, "\\1\\0\\0\\0", 4, 0[) ]/.test(line)) {
      current = new Map();
      operations.push(current);
    } else if (/ pwrite64\(\d+<[^>]*\/plan-[\d.]+>, "\\0\\0\\0\\0", 4, 0[) ]/.test(line)) {
      current = undefined;
    } else if (current !== undefined && line.includes(beneath)) {
      const name = /^\d+ +(\w+)\(/.exec(line)?.[1];
      if (name === undefined) continue; // the rest of a call that took long
      const known = aliases[name] ?? name;
      current.set(known, (current.get(known) ?? 0) + 1);
    }
  }
  return operations;
}
