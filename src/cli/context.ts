/** What every command is given: its arguments, where to write, the leases, and who asks. */
import type { LockErrorCode } from '../errors.js';
import type { LeaseInfo } from '../lease-info.js';
import { Leases } from '../leases.js';
import { findRoot } from '../root.js';
import { checkLeaseName } from '../lease-options.js';
import type { LeaseStore } from '../store/store.js';
import type { Arguments } from './arguments.js';
import { asUsage, ExitCode, UsageError } from './exit-codes.js';
import type { Output } from './screen.js';
import { denial, infoJson, outcomeJson } from './wording.js';

/** Where a command runs. */
export interface Surroundings {
  readonly output: Output;
  readonly errors: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export class Context {
  readonly output: Output;
  readonly errors: Output;
  readonly env: Surroundings['env'];
  readonly #leases = new Map<string, Leases>();

  constructor(
    readonly args: Arguments,
    /** Aborted by SIGINT, SIGTERM and SIGHUP, and when nobody reads what is written. */
    readonly signal: AbortSignal,
    { output, errors, env }: Surroundings,
    /** Where the leases are, if they are not in files. */
    readonly store?: LeaseStore,
  ) {
    this.output = output;
    this.errors = errors;
    this.env = env;
  }

  /** The folder of the leases. */
  get root(): string {
    const root = this.args.text('root');
    if (root === '') throw new UsageError('--root must not be empty');
    return findRoot(undefined, root === undefined ? this.env : { HOLDFAST_ROOT: root });
  }

  /** The folder of the leases, or the address of their store. */
  get where(): string {
    return this.store?.location ?? this.root;
  }

  /** The owner that was named; undefined when nobody was. */
  get namedOwner(): string | undefined {
    const owner = this.args.text('owner');
    if (owner === '') throw new UsageError('--owner must not be empty');
    // A variable that is set but empty says nothing.
    const said = [this.env['HOLDFAST_OWNER'], this.env['LOKT_OWNER']].filter(Boolean);
    return owner ?? said[0];
  }

  get leases(): Leases {
    const { where, store, namedOwner } = this;
    const owner = namedOwner === undefined ? {} : { owner: namedOwner };
    const place = store === undefined ? { dir: where } : { store };
    const make = (): Leases => asUsage(() => new Leases({ ...place, ...owner }));
    const leases = this.#leases.get(where) ?? make();
    this.#leases.set(where, leases);
    return leases;
  }

  /** A line, or an object for programs. */
  say(line: string, data: unknown): void {
    this.output.write(`${this.args.flag('json') ? JSON.stringify(data) : line}\n`);
  }

  /** Why it was refused. */
  deny(info: LeaseInfo, code?: LockErrorCode): number {
    const now = Date.now();
    const why = info.state === 'frozen' ? 'ERR_LOCK_FROZEN' : 'ERR_LOCK_HELD';
    return this.fail(ExitCode.held, denial(info, now), {
      code: code ?? why,
      ...infoJson(info, now),
    });
  }

  /** For programs: what was found out, and of bad news the exit code and the message. */
  tell(exitCode: number, message: string, data: Readonly<Record<string, unknown>>): void {
    this.output.write(`${outcomeJson(exitCode, message, data)}\n`);
  }

  /** That it was in vain: a line on stderr, or an object on stdout. @returns the exit code */
  fail(exitCode: number, message: string, data: Record<string, unknown> = {}): number {
    if (this.args.flag('json')) this.tell(exitCode, message, data);
    else this.errors.write(`${message}\n`);
    return exitCode;
  }

  /** All operands, as names of leases. */
  get names(): readonly string[] {
    for (const name of this.args.operands) {
      asUsage(() => {
        checkLeaseName(name);
      });
    }
    return this.args.operands;
  }

  /** The one name. */
  get name(): string {
    return this.names[0] ?? '';
  }
}
