/**
 * The store of one host: leases as files in a folder, each change of one a compare-and-swap under its
 * guard (docs/protocol.md).
 *
 * Every verb is the same loop: take a snapshot, judge it, ask for a swap of exactly what was judged,
 * and on a conflict judge what is there now. A conflict means that somebody else got further, so the
 * loops end. Exclusion is the swap's; clocks and names only say what to ask for.
 */
import { join, resolve } from 'node:path';

import { never } from '../abort.js';
import type { Clock } from '../clock.js';
import { parseFreeze } from '../freeze.js';
import type { LeaseInfo } from '../lease-info.js';
import { fileName, nameOf } from '../names.js';
import { parseRecord } from '../record.js';
import type { LeaseFiles } from '../transaction.js';
import { FileGrant } from './file-grant.js';
import { listFolder } from './folder-list.js';
import { grantOf, nameIn } from './grant.js';
import * as holding from './holding.js';
import { Place } from './place.js';
import { Sightings } from './sightings.js';
import type { Attempt, Break, Capabilities, Denied, Grant } from './store.js';
import type { LeaseStore, Owner, Waiting } from './store.js';
import * as upkeep from './upkeep.js';
import { waitForGrant } from './waiting.js';

/** Where the files are, and how they may be treated. */
export interface FileStoreOptions {
  dir: string;
  /** Decides every TTL, in place of the clocks of the system. */
  clock?: Clock | undefined;
  /** Permission bits of files that are created; a folder that is made gets search besides. */
  fileMode?: number | undefined;
  network?: 'allow' | 'refuse' | undefined;
}

export class FileStore implements LeaseStore {
  readonly capabilities: Capabilities = Object.freeze({
    kind: 'file',
    scope: 'host',
    liveness: true,
    fifo: true,
    revives: true,
    minTtl: 1,
    ttlGranularity: 1,
  });
  readonly location: string;
  readonly #clock: Clock | undefined;
  readonly #mode: number;
  readonly #allowNetwork: boolean;
  readonly #sightings = new Sightings();

  constructor({ dir, clock, fileMode = 0o600, network }: FileStoreOptions) {
    this.location = resolve(dir);
    this.#clock = clock;
    this.#mode = fileMode;
    this.#allowNetwork = network === 'allow';
  }

  async tryAcquire(attempt: Attempt): Promise<Grant | Denied> {
    const place = this.#place(attempt.name);
    const outcome = await place.attempt(attempt);
    return outcome instanceof FileGrant ? outcome : { denied: place.info(outcome) };
  }

  async acquire(attempt: Attempt, { signal = never, denied, broke }: Waiting): Promise<Grant> {
    signal.throwIfAborted();
    const place = this.#place(attempt.name);
    const grant = await waitForGrant(place, attempt, { signal, denied });
    if (!signal.aborted) return grant;
    await holding.giveBack(place, grant);
    if (grant.broken !== null) broke?.(grant.broken);
    throw signal.reason;
  }

  renew(grant: Grant): Promise<number> {
    return holding.renew(this.#place(grant.name), owned(grant));
  }

  renewNow(grant: Grant): boolean | undefined {
    return holding.renewNow(this.#place(grant.name), owned(grant));
  }

  release(grant: Grant): Promise<boolean> {
    return holding.release(this.#place(grant.name), owned(grant));
  }

  detach(grant: Grant, ttl: number): Promise<Grant> {
    return holding.detach(this.#place(grant.name), owned(grant), ttl);
  }

  adopt(name: string, id: string, token: bigint): Promise<Grant> {
    return holding.adopt(this.#place(name), id, token);
  }

  look(grant: Grant): boolean | undefined {
    return holding.look(owned(grant));
  }

  descriptor(grant: Grant): number | undefined {
    return holding.descriptor(owned(grant));
  }

  forget(grant: Grant): void {
    owned(grant).close();
  }

  inspect(name: string): Promise<LeaseInfo | undefined> {
    return upkeep.inspect(this.#place(name));
  }

  break(name: string, how: Break): Promise<LeaseInfo | undefined> {
    return upkeep.breakLease(this.#place(name), how);
  }

  freeze(name: string, ttl: number, by: Owner): Promise<void> {
    return upkeep.freeze(this.#place(name), ttl, by);
  }

  unfreeze(name: string): Promise<boolean> {
    return upkeep.unfreeze(this.#place(name));
  }

  async *list(prefix = ''): AsyncGenerator<LeaseInfo, void, undefined> {
    for (const stem of listFolder(this.location).stems) {
      const place = await this.#placeOf(stem);
      if (!place.name.startsWith(prefix)) continue;
      const info = await upkeep.listed(place);
      if (info !== undefined) yield info;
    }
  }

  async sweep(): Promise<LeaseInfo[]> {
    const swept: LeaseInfo[] = [];
    const { stems, unfinished } = listFolder(this.location);
    for (const stem of stems) {
      const info = await upkeep.sweep(await this.#placeOf(stem), unfinished.has(stem));
      if (info !== undefined) swept.push(info);
    }
    return swept;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(); // nothing of its own stays open
  }

  #place(name: string): Place {
    return new Place(name, this.#files(fileName(name)), this.#clock, this.#sightings);
  }

  /** Of a long name only the record knows the whole. */
  async #placeOf(stem: string): Promise<Place> {
    const name = nameOf(stem);
    if (name !== undefined) return this.#place(name);
    const place = new Place(stem, this.#files(stem), this.#clock, this.#sightings);
    const found = await upkeep.snapshot(place);
    const record = found?.record && parseRecord(found.record);
    const freeze = found?.freeze && parseFreeze(found.freeze);
    const whole = nameIn(record, freeze);
    return whole !== undefined && fileName(whole) === stem ? this.#place(whole) : place;
  }

  #files(stem: string): LeaseFiles {
    const base = join(this.location, stem);
    return { base, mode: this.#mode, allowNetwork: this.#allowNetwork };
  }
}

const owned = (grant: Grant): FileGrant => grantOf(FileGrant, grant);
