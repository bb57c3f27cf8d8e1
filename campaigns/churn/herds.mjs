// Herds: 64 contenders, in processes of 8, at the lease of somebody who is dead, at one that runs out,
// and at a frozen name.
//
// Each of them is to be granted it once, alone (by the oracle of the torture), with a token above all
// before it; nobody before the TTL or the freeze is over; and exactly one learns how the lease before
// had ended.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { library } from '../campaign.mjs';
import { newBook, readBook } from '../torture/book.mjs';
import { Peer } from './peer.mjs';

const processes = 8;
const each = 8;
const ttlMs = 300;

// Names of the oracle's book, which has leases from 4 on.
const kinds = { dead: '4', expired: '5', frozen: '6' };
const ends = { dead: 'crashed', expired: 'expired', frozen: 'released' };

const monotonic = () => process.hrtime.bigint();

export async function herds({
  folder,
  witness,
  root,
  rounds,
  name: part = 'herds',
  quiet = false,
}) {
  const dir = join(folder, part);
  const book = join(folder, `${part}-book`);
  mkdirSync(dir);
  newBook(book);
  const { Leases } = await library(root);
  const leases = new Leases({ dir });
  const start = async () => {
    const peer = await Peer.start('contender.mjs', root);
    await peer.call('open', dir, witness, book);
    return peer;
  };
  const peers = await Promise.all(Array.from({ length: processes }, start));
  const faults = [];
  const slowest = { dead: 0, expired: 0, frozen: 0 };

  /** How each kind comes about; each answers when the name is free, or from when on it is. */
  const scenes = {
    async dead(name, go, round) {
      const victim = await start();
      await victim.call('keep', name);
      const answers = round % 2 === 0 ? go() : undefined;
      if (answers !== undefined) await sleep(100); // some wait, some find it dead
      const from = monotonic();
      await victim.kill();
      return { from, answers: answers ?? go() };
    },
    async expired(name, go) {
      const asked = monotonic();
      await leases.acquire(name, { detached: true, ttl: ttlMs });
      return { from: asked + BigInt(ttlMs) * 1_000_000n, answers: go() };
    },
    async frozen(name, go) {
      const lease = await leases.acquire(name);
      const asked = monotonic();
      await leases.freeze(name, { ttl: ttlMs });
      await lease.release();
      return { from: asked + BigInt(ttlMs) * 1_000_000n, answers: go() };
    },
  };

  let grants = 0;
  try {
    for (let round = 0; round < rounds; round++) {
      for (const [kind, name] of Object.entries(kinds)) {
        const go = () => Promise.all(peers.map((peer) => peer.call('contend', name, each)));
        const { from, answers } = await scenes[kind](name, go, round);
        const granted = (await answers).flat().sort((a, b) => (a.at < b.at ? -1 : 1));
        grants += granted.length;
        faults.push(...judge(kind, granted, from).map((fault) => `${kind}: ${fault}`));
        const took = Number(granted.at(-1).at - from) / 1e6;
        slowest[kind] = Math.max(slowest[kind], took);
      }
    }
  } finally {
    await Promise.all(peers.map((peer) => peer.kill()));
  }
  const seen = readBook(book);
  if (seen.faults + seen.lost > 0) {
    faults.push(`${seen.overlaps} overlaps, ${seen.regressions} tokens, ${seen.lost} lost updates`);
  }
  if (quiet) return faults;
  const times = Object.entries(slowest).map(([kind, ms]) => `${kind} ${ms.toFixed(0)}`);
  console.log(
    `herds: ${rounds * 3} of ${processes * each}, ${grants} grants, ${seen.overlaps} overlaps, ` +
      `all served within ms: ${times.join(', ')}; ${faults.length} faults`,
  );
  return faults;
}

/** `granted`: in the order of their times. */
function judge(kind, granted, from) {
  const faults = [];
  if (granted.length !== processes * each) faults.push(`${granted.length} were granted it`);
  if (granted.some(({ ended }) => ended !== 'released')) faults.push('somebody lost it');
  if (granted[0].at < from) faults.push(`${Number(from - granted[0].at) / 1e6} ms too early`);
  const tokens = new Set(granted.map(({ token }) => token));
  if (tokens.size !== granted.length) faults.push('a token came twice');
  const heirs = granted.filter(({ before }) => before === ends[kind]);
  // After a release all are told the same.
  if (kind !== 'frozen' && heirs.length !== 1) faults.push(`${heirs.length} heard of its end`);
  return faults;
}
