/** What every operation on a lease answers, in a few words: for tables of what is damaged how. */
import { existsSync } from 'node:fs';

import type { Lease, Leases } from '../../lib/index.js';
import type { LeasePeer } from './lease-peer.js';

export interface Answers {
  tryAcquire: string;
  wait: string;
  inspect: string;
  list: string;
  stale: string;
  force: string;
  sweep: string;
}

/** What a process, or this one, can be asked. */
export type Asked = Pick<
  LeasePeer,
  'tryAcquire' | 'acquire' | 'inspect' | 'list' | 'break' | 'sweep' | 'release'
>;

/** Each operation, on a damaged record that is put there anew each time. */
export async function ask(asked: Asked, put: () => unknown, path: string): Promise<Answers> {
  const answer = async <T>(promise: Promise<T>, say: (value: T) => unknown): Promise<string> => {
    try {
      return String(await say(await promise));
    } catch (error) {
      return (error as { code?: string }).code ?? String(error);
    }
  };
  const anew = <T>(run: () => T): T => {
    if (!existsSync(path)) put();
    return run();
  };
  const granted = async (lease: Awaited<ReturnType<Asked['tryAcquire']>>): Promise<string> => {
    if (lease === null) return 'null';
    await asked.release(lease);
    return `granted, previous ${lease.previous?.end ?? 'none'}`;
  };
  const described = (info: { state: string; why: string } | null | undefined): string =>
    info == null ? 'not listed' : info.state === 'held' ? `held (${info.why})` : info.state;
  const broken = (info: object | null): string => (info === null ? 'null' : 'broken');
  return {
    inspect: await answer(
      anew(() => asked.inspect('build')),
      described,
    ),
    list: await answer(
      anew(() => asked.list('build')),
      ([info]) => described(info),
    ),
    tryAcquire: await answer(
      anew(() => asked.tryAcquire('build')),
      granted,
    ),
    wait: await answer(
      anew(() => asked.acquire('build', { timeout: 50 })),
      granted,
    ),
    stale: await answer(
      anew(() => asked.break('build', { stale: true })),
      broken,
    ),
    sweep: await answer(
      anew(() => asked.sweep()),
      (all) => (all.length === 0 && existsSync(path) ? 'left alone' : 'removed'),
    ),
    force: await answer(
      anew(() => asked.break('build', { force: true })),
      broken,
    ),
  };
}

/** This process, asked as a peer would be. */
export function inProcess(leases: Leases): Asked {
  const known = new Map<number, Lease>();
  const keep = (lease: Lease): never => {
    known.set(known.size, lease);
    return { handle: known.size - 1, previous: lease.previous } as never;
  };
  return {
    tryAcquire: async (name) => {
      const lease = await leases.tryAcquire(name);
      return lease && keep(lease);
    },
    acquire: async (name, options) =>
      keep(await leases.acquire(name, { timeout: options?.timeout ?? 0 })),
    release: ({ handle }) => known.get(handle)?.release() ?? Promise.resolve('lost'),
    inspect: (name) => leases.inspect(name),
    list: async (prefix) => {
      const all = [];
      for await (const info of leases.list(prefix)) all.push(info);
      return all;
    },
    break: (name, which) => leases.break(name, which),
    sweep: () => leases.sweep(),
  };
}
