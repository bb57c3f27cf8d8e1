/** How the commands speak of a lease: in a line for people, and as data for programs. Pure. */
import { formatDuration } from '../duration.js';
import type { LeaseInfo } from '../lease-info.js';
import { plain } from '../owner.js';
import { ExitCode } from './exit-codes.js';

/** Longer than anybody means it: it stands until it is unlocked. */
export const endlessMs = 3650 * 86_400_000;

/** `alice@host (pid 4242: node deploy.js)` */
export function holderText({ holder, why }: LeaseInfo): string {
  if (holder === null) return `somebody (${why})`;
  return plain(`${holder.owner} (pid ${holder.pid}: ${holder.command})`);
}

/** `build is held by alice@host (pid 4242: node deploy.js) for 3m12s, 1m48s left; token 1795…` */
export function denial(info: LeaseInfo, now: number): string {
  const { holder, token, freeze } = info;
  const name = plain(info.name);
  const left = leftText(info);
  if (info.state === 'frozen') {
    return `${name} is frozen by ${plain(freeze?.owner ?? 'a later version')}${left}`;
  }
  const since = holder === null ? '' : ` for ${formatDuration(now - holder.since.getTime())}`;
  const fence = token === null ? '' : `; token ${token}`;
  return `${name} is held by ${holderText(info)}${since}${left}${fence}`;
}

function leftText({ leftMs }: LeaseInfo): string {
  return leftMs === null || leftMs > endlessMs ? '' : `, ${formatDuration(leftMs)} left`;
}

/** A lease as data. Tokens are decimal strings, for JSON has no integers beyond 2^53. */
export function infoJson(info: LeaseInfo, now: number): Record<string, unknown> {
  const { name, state, why, holder, id, token, kind, ttl, leftMs, until, meta, freeze } = info;
  return {
    name,
    state,
    why,
    kind,
    owner: holder?.owner ?? null,
    pid: holder?.pid ?? null,
    host: holder?.host ?? null,
    command: holder?.command ?? null,
    since: holder?.since.toISOString() ?? null,
    heldMs: holder === null ? null : Math.max(0, now - holder.since.getTime()),
    id,
    token: token === null ? null : String(token),
    ttlMs: ttl,
    leftMs: leftMs === null ? null : Math.ceil(leftMs),
    until: until?.toISOString() ?? null,
    meta: meta ?? null,
    frozen: freeze && {
      owner: freeze.owner,
      since: freeze.since?.toISOString() ?? null,
      leftMs: freeze.leftMs === null ? null : Math.ceil(freeze.leftMs),
    },
    corruption: info.corruption,
  };
}

/** What came of it as data: of a failure always how it ends and why, whatever else there is. */
export function outcomeJson(
  exitCode: number,
  message: string,
  data: Readonly<Record<string, unknown>>,
): string {
  const head = exitCode === ExitCode.ok ? { ok: true } : { ok: false, exitCode, message };
  return JSON.stringify({ ...head, ...data });
}
