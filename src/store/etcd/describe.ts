/** What stands in etcd of a name, for people. */
import { parseFreeze } from '../../freeze.js';
import { leaseInfoOf, type LeaseInfo } from '../../lease-info.js';
import type { ActiveFreeze } from '../../staleness.js';
import { nameIn } from '../grant.js';
import { range, type KeyValue } from './client.js';
import { parseEntry } from './entry.js';
import type { Ground, View } from './ground.js';

/** The oldest key of a line, and the freeze. */
type Standing = Partial<Pick<View, 'head' | 'frozen'>>;

/** So many are asked about at a time. */
const atOnce = 32;

/** Undefined: nobody holds it, and it is not frozen. */
export async function describe(
  ground: Ground,
  name: string,
  { head, frozen }: Standing,
): Promise<LeaseInfo | undefined> {
  const freeze = frozen && (await freezeOf(ground, frozen));
  const entry = head && (await ground.entry(head));
  // While it is frozen nobody is next, whoever is first in line.
  const held = entry?.word !== 'waiting' || freeze === undefined ? entry?.parsed : undefined;
  const leftMs = held && head && (await leftOf(ground, head));
  return leaseInfoOf(name, held, freeze, leftMs);
}

/** Of all names that begin so: as of one moment, but for what is left of their time. */
export async function* describeAll(
  ground: Ground,
  prefix: string,
): AsyncGenerator<LeaseInfo, void, undefined> {
  const all = new Map<string, Standing>();
  const reads = [ground.lines, ground.freezes].map((each) => ({ request_range: range(each) }));
  const [keys = [], freezes = []] = (await ground.client.transact([], reads)).found;
  for (const key of keys) {
    const stem = key.key.slice(ground.lines.length).split('/', 1)[0] ?? '';
    const { head } = all.get(stem) ?? {};
    if (!head || BigInt(key.created) < BigInt(head.created)) all.set(stem, { head: key });
  }
  for (const frozen of freezes) {
    const stem = frozen.key.slice(ground.freezes.length);
    all.set(stem, { ...all.get(stem), frozen });
  }
  const named = [...all].map(([stem, each]) => {
    const { head, frozen } = each;
    const told = nameIn(head && parseEntry(head).parsed, frozen && parseFreeze(frozen.value));
    return { name: told ?? stem, ...each };
  });
  const wanted = named.filter(({ name }) => name.startsWith(prefix));
  for (let at = 0; at < wanted.length; at += atOnce) {
    const some = wanted.slice(at, at + atOnce);
    const infos = await Promise.all(some.map((each) => describe(ground, each.name, each)));
    for (const info of infos) if (info !== undefined) yield info;
  }
}

const leftOf = async ({ client }: Ground, { lease }: KeyValue): Promise<number> =>
  (await client.timeLeft(lease))?.leftMs ?? 0;

async function freezeOf(ground: Ground, key: KeyValue): Promise<ActiveFreeze> {
  const parsed = parseFreeze(key.value);
  const freeze = parsed.state === 'valid' ? parsed.freeze : null;
  return { freeze, leftMs: await leftOf(ground, key), judge: 'store' };
}
