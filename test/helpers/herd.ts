/** Many processes that go for one lease in the same moment, and what the oracle saw of it. */
import type { TryAcquireOptions } from '../../lib/index.js';
import { now, type Held, type LeasePeer, type Won } from './lease-peer.js';

export interface Meeting {
  /** How many were granted the lease while none of them gave it back. */
  winners: number;
  /** How many of them were not alone. */
  met: number;
}

/** When all of so many peers will have been told, in microseconds of `now()`. */
export function soon(peers: number): number {
  return now() + 20_000 + peers * 500;
}

/**
 * Each tries once, all at the moment `at`. Whoever is granted the lease keeps it until everybody has
 * an answer; so however late one of them is, there can be only one.
 */
export async function meet(
  peers: readonly LeasePeer[],
  name: string,
  byte: number,
  { at = soon(peers.length), ...options }: TryAcquireOptions & { at?: number } = {},
): Promise<Meeting> {
  const won = await Promise.all(
    peers.map((peer) => peer.contend(name, { ...options, at, byte, keep: true })),
  );
  const winners = won.flatMap((result, i) => {
    const peer = peers[i];
    return result === null || peer === undefined ? [] : [{ peer, result }];
  });
  for (const { peer, result } of winners) await comeOut(peer, byte, result);
  return {
    winners: winners.length,
    met: winners.filter(({ result }) => !result.alone).length,
  };
}

/** All wait for the lease, and each has it for a moment. */
export async function queueUp(
  peers: readonly LeasePeer[],
  name: string,
  byte: number,
): Promise<Won[]> {
  const won = await Promise.all(peers.map((peer) => peer.contend(name, { byte, wait: true })));
  return won.flatMap((result) => (result === null ? [] : [result]));
}

/** Out of the critical section, then out of the lease. */
export async function comeOut(
  peer: LeasePeer,
  byte: number,
  { lease }: { lease?: Held },
): Promise<void> {
  await peer.leave(byte);
  if (lease !== undefined) await peer.release(lease);
}
