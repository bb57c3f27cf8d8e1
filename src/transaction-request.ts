/** One change of one lease: what a caller asks for, and how it is packed for the addon. */
import type { Handle, NativeTransaction } from './native.js';

/** What is to be done if the expectation holds. */
export type Change =
  | { kind: 'look'; open?: boolean }
  | { kind: 'grant'; record: Uint8Array; attach: boolean; durable: boolean }
  | { kind: 'renew'; record: Uint8Array }
  | { kind: 'replace'; record: Uint8Array; durable: boolean }
  | { kind: 'remove'; note: string; durable: boolean }
  | { kind: 'freeze'; bytes: Uint8Array; durable: boolean }
  | { kind: 'unfreeze'; durable: boolean }
  /** Removes what somebody who died inside has left: `NAME.new`. */
  | { kind: 'tidy' };

/** What the caller believes to be there. */
export interface Expectation {
  /** The record: these very bytes, none, one with the same token and id, or whatever is there. */
  record: Uint8Array | 'absent' | 'anything' | { own: Uint8Array };
  /** And nobody may hold the lock on its inode. */
  dead?: boolean;
  /** The freeze file: these very bytes, or null for none. Omitted: it does not matter. */
  freeze?: Uint8Array | null;
}

/** Where a lease's files are, and how they may be treated. */
export interface LeaseFiles {
  /** Folder and encoded name; the addon adds `.lock`, `.guard`, `.freeze`, `.new`. */
  base: string;
  /** Permission bits of files that are created. */
  mode: number;
  allowNetwork: boolean;
}

// As native/transaction.h and native/lease_exports.cc number them.
const changes = {
  look: 0,
  grant: 1,
  renew: 2,
  replace: 3,
  remove: 4,
  freeze: 5,
  unfreeze: 6,
  tidy: 7,
};
const expectations = { anything: 0, absent: 1, same: 2, own: 3 };
const attach = 1 << 5;
const durable = 1 << 6;
const expectDead = 1 << 7;
const minded = 1 << 8;
const flagsShift = 16;

/** The arguments of the addon's `transact`. */
export function pack(
  files: LeaseFiles,
  expect: Expectation,
  change: Change,
  handle: Handle,
  flags: number,
): NativeTransaction {
  const { record } = expect;
  let what = changes[change.kind] | (flags << flagsShift);
  let expected: Uint8Array | null = null;
  if (record === 'absent') what |= expectations.absent << 3;
  else if (record instanceof Uint8Array) {
    what |= expectations.same << 3;
    expected = record;
  } else if (record !== 'anything') {
    what |= expectations.own << 3;
    expected = record.own;
  }
  if (expect.dead === true) what |= expectDead;
  if (expect.freeze !== undefined) what |= minded;
  if ('durable' in change && change.durable) what |= durable;
  if ((change.kind === 'grant' && change.attach) || (change.kind === 'look' && change.open)) {
    what |= attach;
  }
  const next = 'record' in change ? change.record : 'bytes' in change ? change.bytes : null;
  const note = change.kind === 'remove' ? change.note : '';
  return [files.base, what, files.mode, expected, expect.freeze ?? null, next, note, handle];
}
