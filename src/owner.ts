/**
 * Who holds a lock: what the holder writes into the sidecar, and what others read there.
 *
 * It is written for people. Nothing here decides whether a lock is held: a pid is reused, a host
 * is renamed, and a holder that died still stands in the file.
 */
import { hostname, userInfo } from 'node:os';
import { basename, relative } from 'node:path';

/** The holder of a lock, as it described itself when it was granted the lock. */
export interface HolderInfo {
  /** `user@host` unless the `owner` option said otherwise. */
  readonly owner: string;
  readonly pid: number;
  /** When the process began, if the system tells; pids are reused, this pair is not. */
  readonly startedAt: Date | null;
  readonly host: string;
  /** Program and script, without further arguments (they may hold secrets). */
  readonly command: string;
  /** When the lock was granted, by the wall clock of the holder. */
  readonly since: Date;
}

/** What does not change while a process lives. */
export interface ProcessInfo {
  pid: number;
  startedAt: number | undefined;
  host: string;
  command: string;
}

const maxFieldLength = 120;

/** `user@host`, the owner where none was named. A container may have no user database. */
export function defaultOwner(): string {
  let user: string;
  try {
    user = userInfo().username;
  } catch {
    user = `uid${process.getuid?.() ?? ''}`;
  }
  return `${user}@${hostname()}`;
}

let ownName: string | undefined;

/** What this process is called by its users, if not by its program and script. */
export function nameProcess(command: string): void {
  ownName = command;
}

/** Describes this process; `startedAt` in milliseconds since 1970, if known. */
export function describeProcess(startedAt: number | undefined): ProcessInfo {
  return {
    pid: process.pid,
    startedAt: startedAt && Math.round(startedAt),
    host: hostname(),
    command: ownName ?? programAndScript(),
  };
}

function programAndScript(): string {
  const script = process.argv[1];
  const program = basename(process.execPath);
  return script === undefined ? program : `${program} ${nearName(script)}`;
}

/** As one would type it, if it lies below the working directory, which may have been removed. */
function nearName(script: string): string {
  try {
    const near = relative(process.cwd(), script);
    return near === '' || near.startsWith('..') ? script : near;
  } catch {
    return script;
  }
}

/** What a holder writes into its sidecar; the addon puts the time of the grant before it. */
export function holderText(owner: string, info: ProcessInfo): string {
  return JSON.stringify({
    owner: shorten(owner),
    pid: info.pid,
    startedAt: info.startedAt ?? null,
    host: shorten(info.host),
    command: shorten(info.command),
  });
}

/**
 * The holder that a sidecar names: milliseconds since 1970, a blank, and {@link holderText}. Null
 * when the text is not one of ours.
 */
export function parseHolder(text: string): HolderInfo | null {
  const blank = text.indexOf(' ');
  let raw: unknown;
  try {
    raw = JSON.parse(text.slice(blank + 1));
  } catch {
    return null;
  }
  if (typeof raw !== 'object' || raw === null) return null;
  const { owner, pid, startedAt, host, command } = raw as Record<string, unknown>;
  const since = new Date(Number(text.slice(0, blank)));
  if (typeof owner !== 'string' || typeof pid !== 'number' || Number.isNaN(since.getTime())) {
    return null;
  }
  return {
    owner,
    pid,
    startedAt: typeof startedAt === 'number' ? new Date(startedAt) : null,
    host: typeof host === 'string' ? host : '',
    command: typeof command === 'string' ? command : '',
    since,
  };
}

/** `alice@host (pid 4242 on host: node deploy.js) since …`, for messages. */
export function describeHolder(holder: HolderInfo | null): string {
  if (holder === null) return 'somebody who left no name (shared holders, or another program)';
  const { owner, pid, host, command, since } = holder;
  // Whoever may write the sidecar may write anything; a message must not steer a terminal.
  return plain(`${owner} (pid ${pid} on ${host}: ${command}) since ${since.toISOString()}`);
}

/** What moves a terminal's cursor, or shows text in another order than it is in. */
export const steering = /[\p{Cc}\p{Bidi_Control}]/gu;

/** The text without what would steer a terminal. */
export function plain(text: string): string {
  return text.replace(steering, '�');
}

/**
 * The beginning of a text that is for people only, at most 120 bytes of JSON, and `…` if it was cut.
 * JSON writes a control character as six; three fields of this size fit the sidecar in any case.
 */
export function shorten(text: string): string {
  if (bytesInJson(text) <= maxFieldLength) return text;
  let room = maxFieldLength;
  let end = 0;
  for (const character of text) {
    room -= bytesInJson(character);
    if (room < 0) break;
    end += character.length;
  }
  return `${text.slice(0, end)}…`;
}

function bytesInJson(text: string): number {
  return Buffer.byteLength(JSON.stringify(text)) - '""'.length;
}
