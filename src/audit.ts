/**
 * The audit log: who was granted, denied, lost or broke which lease, as lines of JSON in a file that
 * all processes share. It listens to the diagnostics channels; whoever locks knows nothing of it.
 *
 * A line that cannot be written is no reason not to lock: it is counted, and reported.
 */
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { auditLine, type AuditEvent } from './audit-line.js';
import {
  acquireChannel,
  breakChannel,
  freezeChannel,
  lostChannel,
  releaseChannel,
  renewChannel,
  type LeaseEvent,
  type LockEvent,
} from './events.js';
import { checkMode, wrongType } from './options.js';
import { RotatingFile } from './rotating-file.js';

/** What to write, and how much to keep. */
export interface AuditOptions {
  /**
   * The file is put aside before it grows beyond so many bytes. Default 10 000 000. `Infinity`: never;
   * another program may do it.
   */
  maxBytes?: number;
  /** So many files are kept besides it, `PATH.1` being the youngest. Default 5. */
  keep?: number;
  /** File locks, too, not only leases. Default false. */
  fileLocks?: boolean;
  /** Permission bits of files that are created, whatever the umask. Default `0o600`. */
  fileMode?: number;
  /**
   * Told of a failure to write, once until a line could be written again; likewise of a failure to
   * rotate. Without it, the failure is a process warning.
   */
  onError?: (error: unknown) => void;
}

/** An audit log that is being written. */
export interface Audit extends Disposable {
  /** The file, absolute. */
  readonly path: string;
  /** Lines that could be written, by this object. */
  readonly written: number;
  /** Events of which the line could not be written. */
  readonly failed: number;
  /** Ends it. A second call does nothing. */
  close(): void;
}

type Message = LockEvent & { result?: unknown };
type Subscriber = (message: unknown) => void;
interface Source {
  subscribe(heard: Subscriber): void;
  unsubscribe(heard: Subscriber): unknown;
}

/**
 * Writes down what happens to the leases of this thread, from now on: one line of JSON an event.
 *
 * Any number of processes may write to one file. The folder must exist when something happens. The
 * program does not end later for it, and nothing needs to be flushed.
 *
 * @throws {TypeError | RangeError} an option that makes no sense
 *
 * @example
 * const audit = auditTo('.holdfast/audit.log', { maxBytes: 1_000_000, keep: 3 });
 */
export function auditTo(path: string | URL, options: AuditOptions = {}): Audit {
  if (typeof path !== 'string' && !(path instanceof URL)) {
    throw wrongType('path', 'a string or a file: URL');
  }
  const name = typeof path === 'string' ? path : fileURLToPath(path);
  if (name === '' || name.includes('\0')) throw wrongType('path', 'the name of a file');
  return new AuditLog(resolve(name), checkAuditOptions(options));
}

class AuditLog implements Audit {
  readonly path: string;
  readonly #file: RotatingFile;
  readonly #options: AuditOptions;
  readonly #host = hostname();
  readonly #subscriptions: (readonly [Source, Subscriber])[];
  #written = 0;
  #failed = 0;
  /** Rotation takes a file lock, which is an event; it is not one of the program's. */
  #writing = false;
  #reported = false;

  constructor(path: string, options: Required<Omit<AuditOptions, 'onError'>> & AuditOptions) {
    this.path = path;
    this.#options = options;
    this.#file = new RotatingFile(path, options, (error) => {
      this.#report(error);
    });
    const whole = [acquireChannel.asyncEnd, acquireChannel.end] as const;
    this.#subscriptions = [
      ...whole.map((each) => this.#hear(each, ({ result }) => verdictOf(result))),
      this.#hear(acquireChannel.error, () => 'deny'),
      this.#hear(releaseChannel, () => 'release'),
      this.#hear(lostChannel, () => 'lost'),
      this.#hear(breakChannel, () => 'break'),
      this.#hear(renewChannel, (message) => renewalOf(message as LeaseEvent)),
      this.#hear(freezeChannel, (m) => ((m as LeaseEvent).ttl === null ? 'unfreeze' : 'freeze')),
    ];
  }

  get written(): number {
    return this.#written;
  }

  get failed(): number {
    return this.#failed;
  }

  close(): void {
    for (const [source, heard] of this.#subscriptions.splice(0)) source.unsubscribe(heard);
    this.#file.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** `what` tells which event a message is; undefined: none that is written down. */
  #hear(
    source: Source,
    what: (message: Message) => AuditEvent | undefined,
  ): readonly [Source, Subscriber] {
    const heard = (message: unknown): void => {
      const event = what(message as Message);
      if (event !== undefined) this.#write(event, message as Message);
    };
    source.subscribe(heard);
    return [source, heard];
  }

  /** Never throws: diagnostics_channel would make an uncaught exception of it. */
  #write(event: AuditEvent, message: Message): void {
    if (message.kind === 'file' && this.#options.fileLocks !== true) return;
    if (this.#writing) return;
    this.#writing = true;
    try {
      const where = { time: new Date(), pid: process.pid, host: this.#host };
      this.#file.append(auditLine(event, message, where));
      this.#written++;
      this.#reported = false;
    } catch (error) {
      this.#failed++;
      if (!this.#reported) this.#report(error);
      this.#reported = true;
    } finally {
      this.#writing = false;
    }
  }

  /** On another turn: what the program does there is no part of a lock's. */
  #report(error: unknown): void {
    const { onError } = this.#options;
    if (onError !== undefined) {
      process.nextTick(onError, error);
      return;
    }
    const { message } = error as Error;
    process.emitWarning(`the audit log ${this.path} is incomplete: ${message}`, {
      type: 'AuditWarning',
      code: 'HOLDFAST_AUDIT',
    });
  }
}

/** Undefined: of a promise, the call is over and the attempt goes on; or it was an error. */
function verdictOf(result: unknown): AuditEvent | undefined {
  if (result === undefined) return undefined;
  return result === null ? 'deny' : 'acquire';
}

function renewalOf({ error, detaching }: LeaseEvent): AuditEvent {
  if (error !== undefined) return 'renew-failed';
  return detaching === true ? 'detach' : 'renew';
}

function checkAuditOptions(
  options: unknown,
): Required<Omit<AuditOptions, 'onError'>> & AuditOptions {
  if (typeof options !== 'object' || options === null) throw wrongType('options', 'an object');
  const { maxBytes, keep, fileLocks, fileMode, onError } = options as Record<string, unknown>;
  if (fileLocks !== undefined && typeof fileLocks !== 'boolean') {
    throw wrongType('fileLocks', 'a boolean');
  }
  if (onError !== undefined && typeof onError !== 'function') {
    throw wrongType('onError', 'a function');
  }
  if (fileMode !== undefined) checkMode(fileMode);
  return {
    maxBytes: maxBytes === Infinity ? Infinity : atLeastOne('maxBytes', maxBytes, 10_000_000),
    keep: atLeastOne('keep', keep, 5),
    fileLocks: fileLocks ?? false,
    fileMode: (fileMode as number | undefined) ?? 0o600,
    ...(onError === undefined ? {} : { onError: onError as (error: unknown) => void }),
  };
}

function atLeastOne(name: string, value: unknown, otherwise: number): number {
  if (value === undefined) return otherwise;
  if (typeof value !== 'number') throw wrongType(name, 'a number');
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new RangeError(`${name} must be a whole number from 1, not ${value}`);
}
