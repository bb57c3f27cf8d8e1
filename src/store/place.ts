/**
 * One name in one folder: what is there, judged, and the attempt to be granted it.
 */
import type { Clock } from '../clock.js';
import type { Now } from '../expiry.js';
import { parseFreeze } from '../freeze.js';
import { leaseInfo, type LeaseInfo } from '../lease-info.js';
import { addon, dropHandle, takeHandle, type Handle } from '../native.js';
import { holderTime, readClocks } from '../now.js';
import { endOf, parsePrevious, previousLease, type PreviousLease } from '../previous.js';
import { encodeRecord, isEndless, parseRecord } from '../record.js';
import { takeable, verdict, type Evidence, type Judgement } from '../staleness.js';
import {
  transact,
  type Change,
  type Expectation,
  type LeaseFiles,
  type Patience,
  type Result,
  type Snapshot,
} from '../transaction.js';
import { FileGrant } from './file-grant.js';
import { recordOf } from './grant.js';
import type { Sightings } from './sightings.js';
import type { Attempt } from './store.js';

/** What was found, when, and what it means. */
export interface View {
  readonly found: Snapshot;
  readonly judgement: Judgement;
  readonly now: Now;
}

type Seen = Pick<Evidence, 'recordSeenSinceMs' | 'freezeSeenSinceMs'>;

export class Place {
  constructor(
    readonly name: string,
    readonly files: LeaseFiles,
    readonly clock: Clock | undefined,
    readonly sightings: Sightings,
  ) {}

  /** All clocks, for records. */
  now(): Now {
    return readClocks(this.clock);
  }

  /** The clock that a holder measures its TTL by. */
  time(detached: boolean): number {
    return holderTime(this.clock, detached);
  }

  /** What is there; with a handle, the record is left open in it. */
  async look(handle?: Handle, patience?: Patience): Promise<View> {
    const change = { kind: 'look', open: handle !== undefined } as const;
    const { found } = await this.swap({ record: 'anything' }, change, handle, patience);
    return this.judge(found);
  }

  /**
   * The record of somebody who lives and holds it without a TTL: it cannot be taken. Told without the guard, and
   * for a fraction of what a look costs where its code is cold; undefined says nothing. Not beneath a freeze,
   * which has to be seen: from then on its TTL is counted, where no clock of it can be read.
   */
  heldForGood(): Buffer | undefined {
    const { base } = this.files;
    if (addon.identify(`${base}.freeze`, false) !== undefined) return undefined;
    const text = addon.glance(`${base}.lock`);
    const record = text === undefined ? undefined : Buffer.from(text, 'latin1');
    return record !== undefined && isEndless(record) ? record : undefined;
  }

  /** One transaction. `handle` is the holder's own, where the change needs it. */
  async swap(
    expect: Expectation,
    change: Change,
    handle?: Handle,
    patience?: Patience,
  ): Promise<Result> {
    if (handle !== undefined) return transact(this.files, expect, change, handle, patience);
    const scratch = takeHandle();
    try {
      return await transact(this.files, expect, change, scratch, patience);
    } finally {
      dropHandle(scratch);
    }
  }

  /**
   * Takes the lease if it can be taken; else what is in the way. `presumed`: what is there in all
   * likelihood, and can be taken; by default nothing is. Who is wrong there takes nothing, and sees what
   * is there.
   */
  async attempt(attempt: Attempt, patience?: Patience, presumed?: View): Promise<FileGrant | View> {
    const attach = !attempt.detached;
    const durable = attempt.durable || attempt.detached;
    const handle = takeHandle();
    let live: Handle | undefined;
    let stale = presumed;
    let expect = stale === undefined ? nothing : expectation(stale);
    try {
      for (;;) {
        const since = this.time(attempt.detached);
        const record = recordOf(attempt, this.now());
        const change = { kind: 'grant', record: encodeRecord(record), attach, durable } as const;
        const result = await transact(this.files, expect, change, handle, patience);
        if (result.done && result.grant !== undefined) {
          if (attach) live = handle;
          const { token, record: bytes } = result.grant;
          const { previous, broken } = this.#before(result.found, stale);
          const { files } = this;
          const granted = { files, record, token, bytes, handle: live, durable, since };
          return new FileGrant(granted, previous, broken);
        }
        stale = this.judge(result.found);
        if (!takeable(stale.judgement.state)) return stale;
        expect = expectation(stale);
      }
    } finally {
      if (live === undefined) dropHandle(handle);
    }
  }

  judge(found: Snapshot, now = this.now(), freeze = found.freeze): View {
    const { base } = this.files;
    const recordSeenSinceMs = this.sightings.since(`${base}.lock`, found.record, now.monotonicMs);
    const freezeSeenSinceMs = this.sightings.since(`${base}.freeze`, found.freeze, now.monotonicMs);
    return this.#view(found, now, freeze, { recordSeenSinceMs, freezeSeenSinceMs });
  }

  /** How it stands if its holder has died since. It was not seen again: nothing is noted. */
  ifDead({ found }: View): View {
    return this.#view({ ...found, alive: false }, this.now(), found.freeze);
  }

  info({ judgement }: View): LeaseInfo {
    return leaseInfo(this.name, judgement);
  }

  /** What was taken away: what the lease had come to by itself, whatever freeze is in force. */
  infoOfBroken(view: View): LeaseInfo {
    const { freeze } = this.info(view);
    return { ...this.info(this.judge(view.found, view.now, null)), freeze };
  }

  #view(
    found: Snapshot,
    now: Now,
    freeze: Buffer | null,
    { recordSeenSinceMs, freezeSeenSinceMs }: Seen = {},
  ): View {
    const evidence: Evidence = {
      name: this.name,
      record: found.record && parseRecord(found.record),
      liveness: found.alive ? 'alive' : 'none',
      freeze: freeze && parseFreeze(freeze),
      recordSeenSinceMs,
      freezeSeenSinceMs,
    };
    return { found, judgement: verdict(evidence, now), now };
  }

  #before(
    found: Snapshot,
    stale: View | undefined,
  ): { previous: PreviousLease | null; broken: LeaseInfo | null } {
    if (found.record === null || stale === undefined) {
      return { previous: parsePrevious(found.note, this.now().wallMs), broken: null };
    }
    const { beneath, record } = stale.judgement;
    const previous = previousLease(endOf(beneath), record, stale.now.wallMs, null);
    return { previous, broken: this.info(stale) };
  }
}

const nothing: Expectation = { record: 'absent', freeze: null };

/** Exactly what was judged; the freeze too, which may be one that is over. */
export function expectation({ found, judgement }: View): Expectation {
  const { beneath } = judgement;
  const record = found.record ?? 'absent';
  return { record, dead: beneath === 'dead' || beneath === 'corrupt', freeze: found.freeze };
}
