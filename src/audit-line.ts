/**
 * A line of the audit log: what happened to a lease or a file lock, as JSON. Pure.
 *
 * The fields and their order are API: `v` rises when one of them changes its meaning. Everybody who
 * reads the log later reads it line by line, so a line is short enough for every system to append it
 * in one piece, whatever a name or `meta` contains.
 */
import type { FileLockEvent, LeaseEvent, LockEvent } from './events.js';
import type { PreviousLease } from './previous.js';
import type { Json } from './record.js';

/**
 * What happened. `acquire` begins a lease; `release` or `break` ends it. `lost` is how a holder learned
 * that it is none any more: somebody else ended the lease, or removed its record by hand.
 */
export type AuditEvent =
  | 'acquire'
  | 'deny'
  | 'renew'
  | 'renew-failed'
  | 'detach'
  | 'release'
  | 'lost'
  | 'break'
  | 'freeze'
  | 'unfreeze';

/** When and where it happened. */
export interface AuditSource {
  readonly time: Date;
  readonly pid: number;
  readonly host: string;
}

/** What a grant says of itself; a `Lease` has it. */
interface Granted {
  readonly token?: bigint;
  readonly ttl?: number | null;
  readonly expiresAt?: Date | null;
  readonly previous?: unknown;
  readonly meta?: Json | undefined;
}

/** PIPE_BUF of Linux: what even a pipe takes in one piece (pipe(7)). */
export const longestLine = 4096;

/** Bytes of JSON; all of them together fit a line. */
const longestText = 250;
const longestName = 512;
const longestMeta = 1024;

/** The line, with its end. `message` is what the diagnostics channel carries. */
export function auditLine(
  event: AuditEvent,
  message: LockEvent & { result?: unknown; error?: unknown },
  { time, pid, host }: AuditSource,
): string {
  const head = { v: 1, time: time.toISOString(), event, kind: message.kind };
  const where = { pid, host: cut(host) };
  const tail =
    message.kind === 'file'
      ? fileFields(event, message, where)
      : leaseFields(event, message, where);
  return `${JSON.stringify({ ...head, ...tail })}\n`;
}

type Where = Pick<AuditSource, 'pid' | 'host'>;
type Fields = Record<string, unknown>;

function leaseFields(
  event: AuditEvent,
  message: LeaseEvent & { result?: unknown },
  where: Where,
): Fields {
  const granted = (event === 'acquire' ? message.result : undefined) as Granted | undefined;
  const { name, id, owner, by, location, detached } = message;
  const token = granted?.token ?? message.token;
  return {
    name: cut(name, longestName),
    id,
    token: decimal(token),
    owner: cut(owner),
    by: cut(by),
    ...where,
    location: cut(location, longestName),
    detached,
    ttl: finite(granted?.ttl === undefined ? message.ttl : granted.ttl),
    ...detailsOf(event, message, granted),
  };
}

function detailsOf(event: AuditEvent, message: LeaseEvent, granted: Granted | undefined): Fields {
  switch (event) {
    case 'acquire': {
      const expires = granted?.expiresAt?.toISOString() ?? null;
      const previous = (granted?.previous ?? null) as PreviousLease | null;
      return { expires, previous: previous && previousFields(previous), ...metaOf(granted?.meta) };
    }
    case 'deny': {
      const { holder, holderId = null, holderToken = null, frozen = false } = message;
      const known = holder !== undefined && !frozen;
      const held = known ? { owner: cut(holder), id: holderId, token: decimal(holderToken) } : null;
      return { ...refusal(message.error, frozen), holder: held };
    }
    case 'renew-failed':
      return { code: codeOf(message.error) };
    case 'break':
      return { why: message.state === 'held' ? 'forced' : (message.state ?? null) };
    default:
      return {};
  }
}

function fileFields(
  event: AuditEvent,
  message: FileLockEvent & { result?: unknown; error?: unknown },
  where: Where,
): Fields {
  const { resource, shared } = message;
  const previous = (message.result as { previous?: unknown } | undefined)?.previous ?? null;
  return {
    resource: cut(resource, longestName),
    ...where,
    shared,
    ...(event === 'acquire' ? { previous: previous && holderFields(previous) } : {}),
    ...(event === 'deny' ? fileRefusal(message.error) : {}),
  };
}

function fileRefusal(error: unknown): Fields {
  const { holder } = (error ?? {}) as { holder?: unknown };
  return { ...refusal(error, false), holder: holder ? holderFields(holder) : null };
}

function holderFields(holder: unknown): Fields {
  const { owner, pid } = holder as { owner: string; pid: number };
  return { owner: cut(owner), pid };
}

function previousFields({ end, token, owner, pid, at, by }: PreviousLease): Fields {
  return { end, token: decimal(token), owner: cut(owner), pid, at: at.toISOString(), by: cut(by) };
}

/** Why nothing was granted: somebody has it, or the attempt itself was in vain. */
function refusal(error: unknown, frozen: boolean): Fields {
  const code = error === undefined ? null : codeOf(error);
  const standing = frozen ? 'frozen' : 'held';
  if (code === null || code === 'ERR_LOCK_HELD' || code === 'ERR_LOCK_FROZEN') {
    return { why: standing, code };
  }
  if (code === 'ERR_LOCK_TIMEOUT') return { why: 'timeout', code };
  // A reason of the program's own may be anything; of the library's errors the code tells.
  return { why: code.startsWith('ERR_LOCK_') ? 'failed' : 'aborted', code };
}

function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return 'UNKNOWN';
  const { code, name } = error as { code?: unknown; name?: unknown };
  const told = typeof code === 'string' ? code : name;
  return typeof told === 'string' ? told.slice(0, 64) : 'UNKNOWN';
}

/** What a program notes on its lease; the record has the whole of it. */
function metaOf(meta: Json | undefined): Fields {
  if (meta === undefined) return {};
  return jsonLength(meta) <= longestMeta ? { meta } : { metaOmitted: true };
}

/** The beginning of a long text, and `…`. JSON writes some characters as six bytes. */
function cut(text: string, room?: number): string;
function cut(text: string | null, room?: number): string | null;
function cut(text: string | null, room = longestText): string | null {
  if (text === null || jsonLength(text) <= room) return text;
  let left = room - 2 - Buffer.byteLength('…');
  let end = 0;
  for (const character of text) {
    left -= jsonLength(character) - 2;
    if (left < 0) break;
    end += character.length;
  }
  return `${text.slice(0, end)}…`;
}

function jsonLength(value: Json): number {
  return Buffer.byteLength(JSON.stringify(value));
}

function decimal(token: bigint | null): string | null {
  return token === null ? null : String(token);
}

/** JSON has no Infinity: a renewal of a lease without a TTL. */
function finite(ttl: number | null): number | null {
  return ttl === Infinity ? null : ttl;
}
