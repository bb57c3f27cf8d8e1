/**
 * Whoever a guarded command has started, wherever they went: on Linux, which shows every process.
 *
 * A process group does not reach those that left it: the jobs of a shell, the command of a guard within
 * a guard, a daemon. But the lease's id is in the environment that the command was given, and all that
 * it starts inherit it, orphans included; and whoever was given another environment still descends
 * from one that has it. Only who was given another environment, and is an orphan when it is first
 * looked for, gets away.
 */
import { readdirSync, readFileSync } from 'node:fs';

export interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** With the number it names a process for good; numbers are given away again. */
  readonly start: string;
}

/** Those that have the variable (`NAME=value`), our children, and all that descend from either. */
export class Kin {
  readonly #variable: string;
  /** Who was found stays known: what it was found by may be gone before it is. */
  readonly #known = new Map<string, Process>();

  constructor(variable: string) {
    this.#variable = variable;
  }

  /** Looks anew. @returns who was not known before */
  look(): Process[] {
    const all = numbers().flatMap((pid) => lookAt(pid) ?? []);
    const kin = new Set(all.filter((each) => this.#isRoot(each)));
    // It grows while it is walked, up to all.
    for (const { pid } of kin) {
      for (const each of all) if (each.parent === pid) kin.add(each);
    }
    const fresh = [...kin].filter((each) => !this.#known.has(keyOf(each)));
    for (const each of fresh) this.#known.set(keyOf(each), each);
    return fresh;
  }

  /** Of those that are known. Who has ended and was not waited for does not run. */
  get running(): Process[] {
    return [...this.#known.values()].filter(({ pid, start }) => lookAt(pid)?.start === start);
  }

  #isRoot(each: Process): boolean {
    if (each.parent === process.pid || this.#known.has(keyOf(each))) return true;
    return hasVariable(each.pid, this.#variable);
  }
}

function keyOf({ pid, start }: Process): string {
  return `${pid} ${start}`;
}

/** Nobody's where there is no /proc, or where it has the numbers of a namespace above ours. */
function numbers(): number[] {
  const [own, ...below] =
    /^NSpid:\s+(.+)$/m.exec(read('self', 'status').toString())?.[1]?.split('\t') ?? [];
  if (Number(own) !== process.pid || below.length > 0) return [];
  return readdirSync('/proc').map(Number).filter(Number.isInteger);
}

/** By proc_pid_stat(5): `pid (comm) state ppid pgrp …`, and the comm may hold anything. */
function lookAt(pid: number): Process | undefined {
  const line = read(pid, 'stat').toString('latin1');
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const [state = 'X', parent, group] = fields;
  if (state === 'Z' || state === 'X') return undefined;
  return { pid, parent: Number(parent), group: Number(group), start: fields[19] ?? '' };
}

function hasVariable(pid: number, variable: string): boolean {
  return `\0${read(pid, 'environ').toString('latin1')}`.includes(`\0${variable}\0`);
}

/** Nothing of one that has ended, or that is somebody else's. */
function read(pid: number | 'self', file: string): Buffer {
  try {
    return readFileSync(`/proc/${pid}/${file}`);
  } catch {
    return Buffer.alloc(0);
  }
}
