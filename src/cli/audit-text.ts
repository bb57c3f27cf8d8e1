/** A line of the audit log, for people. Pure; what the lines hold is in src/audit-line.ts. */
import { formatDuration } from '../duration.js';
import { plain } from '../owner.js';
import type { Screen } from './screen.js';
import { endlessMs } from './wording.js';

/** A line that could be read, whoever wrote it: a later version may know more events. */
export interface Entry {
  readonly time: Date;
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Undefined: it is none. */
export function readEntry(text: string): Entry | undefined {
  let fields: unknown;
  try {
    fields = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof fields !== 'object' || fields === null) return undefined;
  const { time, event } = fields as Record<string, unknown>;
  const at = new Date(typeof time === 'string' ? time : NaN);
  if (typeof event !== 'string' || Number.isNaN(at.getTime())) return undefined;
  return { time: at, event, fields: fields as Entry['fields'] };
}

/** Is it about this name? The log cuts long ones. */
export function isAbout({ fields: { name } }: Entry, wanted: string): boolean {
  if (typeof name !== 'string') return false;
  return name === wanted || (name.endsWith('…') && wanted.startsWith(name.slice(0, -1)));
}

/** `acquire       deploy  by alice@host (pid 4242) for 5m; token 1795…` */
export function entryText({ event, fields }: Entry, screen: Screen): string {
  const colour = Object.hasOwn(colours, event) ? colours[event] : undefined;
  const shown = plain(event).padEnd(widestEvent);
  const verb = colour === undefined ? shown : screen.paint(colour, shown);
  return `${verb}  ${word(fields['name'] ?? fields['resource'])}  ${details(event, fields)}`;
}

const widestEvent = 'renew-failed'.length;

type Colour = Parameters<Screen['paint']>[0];

const colours: Record<string, Colour> = {
  acquire: 'green',
  deny: 'yellow',
  'renew-failed': 'yellow',
  lost: 'red',
  break: 'red',
  freeze: 'cyan',
  unfreeze: 'cyan',
};

function details(event: string, fields: Entry['fields']): string {
  const { by, owner, pid, ttl, token, why, code, holder, previous } = fields;
  const actor = `${word(by ?? owner)} (pid ${word(pid)})`;
  const fence = typeof token === 'string' ? `; token ${plain(token)}` : '';
  switch (event) {
    case 'acquire':
      return `by ${actor}${forText(ttl)}${fence}${afterText(previous)}`;
    case 'deny':
      return `to ${actor}: ${refusalText(why, code, holder)}`;
    case 'renew':
    case 'detach':
      return `by ${actor}${forText(ttl)}${fence}`;
    case 'renew-failed':
      return `of ${actor}: ${word(code)}${fence}`;
    case 'break':
      return `of ${word(owner)} by ${actor}: ${word(why)}${fence}`;
    case 'freeze':
      return `by ${actor}${forText(ttl)}`;
    default:
      return `by ${actor}${fence}`;
  }
}

function forText(ttl: unknown): string {
  if (typeof ttl !== 'number') return '';
  return ttl > endlessMs ? ' until unlocked' : ` for ${formatDuration(ttl)}`;
}

/** `held by alice`, or `timeout, held by alice` */
function refusalText(why: unknown, code: unknown, holder: unknown): string {
  if (why === 'failed') return `failed, ${word(code)}`;
  if (typeof holder !== 'object' || holder === null) return word(why);
  const held = `held by ${word((holder as { owner?: unknown }).owner)}`;
  return why === 'held' ? held : `${word(why)}, ${held}`;
}

/** Of a lease that was given back there is nothing to tell. */
function afterText(previous: unknown): string {
  if (typeof previous !== 'object' || previous === null) return '';
  const { end, owner } = previous as { end?: unknown; owner?: unknown };
  return end === 'released' ? '' : `; that of ${word(owner)} before it: ${word(end)}`;
}

/** What a file says, whatever it says. */
function word(value: unknown): string {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? plain(value) : '?';
}
