/** What stands in etcd of a name, for people. */
import { systemClock } from '../../clock.js';
import { parseFreeze } from '../../freeze.js';
import { leaseInfo, type LeaseInfo } from '../../lease-info.js';
import type { ActiveFreeze, Judgement } from '../../staleness.js';
import type { KeyValue, Outcome } from './client.js';
import { parseEntry } from './entry.js';
import type { Ground } from './ground.js';

/** The oldest key of a line, and the freeze. */
export interface Standing {
  readonly head?: KeyValue | undefined;
  readonly frozen?: KeyValue | undefined;
}

/** As it is now. */
export async function standing(ground: Ground, name: string): Promise<Standing> {
  return standingOf((await ground.client.transact([], ground.standing(name))).found);
}

export function standingOf([head, frozen]: Outcome['found']): Standing {
  return { head: head?.[0], frozen: frozen?.[0] };
}

/** So many are asked about at a time. */
const atOnce = 32;

/** Undefined: nobody holds it, and it is not frozen. */
export async function describe(
  ground: Ground,
  name: string,
  { head, frozen }: Standing,
): Promise<LeaseInfo | undefined> {
  const entry = head && parseEntry(head);
  // While it is frozen nobody is next, whoever is first in line.
  const holds = entry !== undefined && (frozen === undefined || entry.word !== 'waiting');
  if (!holds && frozen === undefined) return undefined;
  const leftOf = async (key: KeyValue): Promise<number> =>
    (await ground.client.timeLeft(key.lease))?.leftMs ?? 0;
  const freeze = frozen && freezeOf(frozen, await leftOf(frozen));
  const found = holds ? entry.parsed : undefined;
  const record =
    found?.state === 'valid' && head !== undefined
      ? { ...found.record, token: await ground.token(head.created) }
      : null;
  const leftMs = holds && head !== undefined ? await leftOf(head) : (freeze?.leftMs ?? null);
  const judgement: Judgement = {
    state: holds ? 'held' : 'frozen',
    why: !holds ? 'freeze' : record === null ? 'unreadable' : whyOf(record.kind),
    record,
    leftMs,
    judge: 'store',
    until: leftMs === null ? null : systemClock.now() + leftMs,
    corruption: found?.state === 'corrupt' ? found.reason : null,
    freeze: freeze ?? null,
    beneath: holds ? 'held' : 'free',
    lookAgainMs: null,
  };
  return leaseInfo(record?.name ?? name, judgement);
}

/** Of all names that begin so: as of one moment, but for what is left of their time. */
export async function* describeAll(
  ground: Ground,
  prefix: string,
): AsyncGenerator<LeaseInfo, void, undefined> {
  const all = new Map<string, { name: string | undefined } & Standing>();
  for await (const key of ground.client.all(ground.lines)) {
    const stem = key.key.slice(ground.lines.length).split('/', 1)[0] ?? '';
    const before = all.get(stem);
    if (before?.head !== undefined && BigInt(before.head.created) < BigInt(key.created)) continue;
    const { parsed } = parseEntry(key);
    all.set(stem, { name: parsed.state === 'valid' ? parsed.record.name : stem, head: key });
  }
  for await (const frozen of ground.client.all(ground.freezes)) {
    const stem = frozen.key.slice(ground.freezes.length);
    const parsed = parseFreeze(frozen.value);
    const name = parsed.state === 'valid' ? parsed.freeze.name : stem;
    all.set(stem, { name, ...all.get(stem), frozen });
  }
  const wanted = [...all.values()].filter(({ name }) => name?.startsWith(prefix) === true);
  for (let at = 0; at < wanted.length; at += atOnce) {
    const some = wanted.slice(at, at + atOnce);
    const infos = await Promise.all(some.map((each) => describe(ground, each.name ?? '', each)));
    for (const info of infos) if (info !== undefined) yield info;
  }
}

function freezeOf({ value }: KeyValue, leftMs: number): ActiveFreeze {
  const parsed = parseFreeze(value);
  return { freeze: parsed.state === 'valid' ? parsed.freeze : null, leftMs, judge: 'store' };
}

function whyOf(kind: 'attached' | 'detached'): Judgement['why'] {
  return kind === 'detached' ? 'detached' : 'liveness unknown';
}
