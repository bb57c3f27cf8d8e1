/** Records and transactions for tests that speak to the addon without the layers above. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';

import { takeHandle, type Handle } from '../../lib/native.js';
import {
  transact,
  type Change,
  type Expectation,
  type LeaseFiles,
  type Result,
} from '../../lib/transaction.js';

const blank = 'null'.padEnd(16);

/** A record as src/record.ts lays it out, with an id of one repeated digit. Checksum and token: 0. */
export function blankRecord(digit: string, rest = '"name":"test"'): Buffer {
  return Buffer.from(
    `{"holdfast":1,"crc":"00000000","token":"${'0'.repeat(20)}","id":"${digit.repeat(32)}",` +
      `"expires":${blank},"deadline":${blank},${rest}}\n`,
  );
}

export function leaseFiles(t: Test, name = 'build'): LeaseFiles {
  const folder = join(t.testdir(), 'leases');
  mkdirSync(folder);
  return { base: join(folder, name), mode: 0o600, allowNetwork: false };
}

/** A holder under test: a handle, and what it was granted last. */
export class Holder {
  readonly handle: Handle = takeHandle();
  record: Buffer = Buffer.alloc(0);

  constructor(readonly files: LeaseFiles) {}

  async run(expect: Expectation, change: Change): Promise<Result> {
    const result = await transact(this.files, expect, change, this.handle);
    if (result.done && result.grant !== undefined) this.record = result.grant.record;
    return result;
  }

  /** Takes the lease if nobody has it; the token, or undefined. */
  async take(digit: string, { attach = true, durable = false } = {}): Promise<bigint | undefined> {
    const record = blankRecord(digit);
    const grant = { kind: 'grant', record, attach, durable } as const;
    const result = await this.run({ record: 'absent', freeze: null }, grant);
    return result.done ? result.grant?.token : undefined;
  }

  async drop(note = ''): Promise<boolean> {
    const expect = { record: { own: this.record } };
    return (await this.run(expect, { kind: 'remove', note, durable: false })).done;
  }

  look(): Promise<Result> {
    return this.run({ record: 'anything' }, { kind: 'look' });
  }
}
