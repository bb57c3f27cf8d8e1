/** The options of a file lock, and their checks. Misuse is a TypeError or a RangeError. */

/** How to lock. */
export interface LockOptions {
  /** Share the lock with other shared holders; they all exclude an exclusive one. Default false. */
  shared?: boolean;
  /**
   * Milliseconds to wait, in all (queue and kernel). Omitted or `Infinity`: no limit. `0`: one
   * attempt, then `ERR_LOCK_HELD`. After waiting: `ERR_LOCK_TIMEOUT`.
   */
  timeout?: number;
  /** Cancels the wait; the promise rejects with `signal.reason`. No effect once granted. */
  signal?: AbortSignal;
  /** Who holds it, for people and for the next holder. Default `user@host`. */
  owner?: string;
  /**
   * `true` (default): lock `RESOURCE.lock` beside the resource, which need not exist. `false`: lock
   * the resource itself, which must exist; this excludes flock(1) and other programs that lock the
   * same file, and nobody is told who holds it.
   */
  sidecar?: boolean;
  /** The resource is a directory: its sidecar is `RESOURCE.dir.lock`. Default false. */
  directory?: boolean;
  /** Another place for the sidecar. It must be the same for everybody. */
  lockPath?: string | URL;
  /** Permission bits of a sidecar that is created, whatever the umask. Default `0o666 & ~umask`. */
  fileMode?: number;
  /** `'allow'`: lock on a network filesystem, at your own risk. Default `'refuse'`. */
  network?: 'allow' | 'refuse';
}

const none: LockOptions = Object.freeze({});

/** Checks the types; returns the options, or an empty set. */
export function checkOptions(options: LockOptions | undefined): LockOptions {
  if (options === undefined) return none;
  const given: unknown = options;
  if (typeof given !== 'object' || given === null) throw wrongType('options', 'an object');
  // What the types promise is what has to be checked.
  const { shared, sidecar, directory, lockPath, fileMode, owner, signal, timeout, network } =
    given as Record<keyof LockOptions, unknown>;
  optional('shared', 'boolean', shared);
  optional('sidecar', 'boolean', sidecar);
  optional('directory', 'boolean', directory);
  if (owner !== undefined && (typeof owner !== 'string' || owner === '')) {
    throw wrongType('owner', 'a non-empty string');
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw wrongType('signal', 'an AbortSignal');
  }
  if (timeout !== undefined) checkTimeout(timeout);
  if (fileMode !== undefined) checkMode(fileMode);
  checkNetwork(network);
  if (
    sidecar === false &&
    (directory === true || lockPath !== undefined || fileMode !== undefined)
  ) {
    throw new TypeError(
      'sidecar: false locks the resource itself; it takes no directory, lockPath or fileMode',
    );
  }
  return options;
}

/** Milliseconds, from 0 to Infinity. */
export function checkTimeout(timeout: unknown): number {
  if (typeof timeout !== 'number') throw wrongType('timeout', 'a number of milliseconds');
  if (Number.isNaN(timeout) || timeout < 0) {
    throw new RangeError(`timeout must be 0 or more milliseconds, not ${timeout}`);
  }
  return timeout;
}

export function checkNetwork(network: unknown): void {
  if (network !== undefined && network !== 'allow' && network !== 'refuse') {
    throw new TypeError("network must be 'allow' or 'refuse'");
  }
}

export function checkMode(mode: unknown): void {
  if (typeof mode !== 'number') throw wrongType('fileMode', 'a number, such as 0o600');
  if (!Number.isInteger(mode) || mode < 0 || mode > 0o777) {
    throw new RangeError('fileMode must be permission bits from 0 to 0o777');
  }
}

function optional(name: string, type: 'boolean', value: unknown): void {
  if (value !== undefined && typeof value !== type) throw wrongType(name, `a ${type}`);
}

export function wrongType(name: string, expected: string): TypeError {
  return new TypeError(`${name} must be ${expected}`);
}
