/** The counter in NAME.guard, read and written by hand: native/guard.h has its form. */
import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';

export interface Counter {
  ceiling: bigint;
  base: bigint;
  /** 16 digits of hex; zeros: none. */
  boot: string;
}

export const noBoot = '0'.repeat(16);

const form = /^holdguard1 (\d{20}) (\d{20}) ([0-9a-f]{16}) [bS] [0-9a-f]{8}\n/;

/** @throws when there is no counter, or not of this form */
export function readCounter(path: string): Counter {
  const [, ceiling, base, boot] = form.exec(readFileSync(path, 'latin1')) ?? [];
  if (ceiling === undefined || base === undefined || boot === undefined) {
    throw new Error(`${path} has no counter`);
  }
  return { ceiling: BigInt(ceiling), base: BigInt(base), boot };
}

/** As if the machine had been started anew: the next token needs a ceiling, and its sync. */
export function forgetBoot(path: string): void {
  if (existsSync(path)) writeCounter(path, { ...readCounter(path), boot: noBoot });
}

/** Writes it with a right checksum, as an outsider may, and leaves the note alone. */
export function writeCounter(path: string, { ceiling, base, boot }: Counter): void {
  const digits = (value: bigint): string => String(value).padStart(20, '0');
  const header = `holdguard1 ${digits(ceiling)} ${digits(base)} ${boot} S `;
  const file = openSync(path, 'r+');
  writeSync(file, `${header}${crc32(header).toString(16).padStart(8, '0')}\n`, 0);
  closeSync(file);
}
