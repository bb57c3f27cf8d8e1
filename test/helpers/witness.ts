/** The oracle of exclusion that shares nothing with the library: test/fixtures/witness.c. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';

const source = fileURLToPath(new URL('../fixtures/witness.c', import.meta.url));
const headers = createRequire(import.meta.url)('node-api-headers') as { include_dir: string };

export class Witness {
  /** Whose bytes stand for leases. */
  readonly file: string;
  /** A line for each grant, in their order: byte, token, pid. */
  readonly log: string;
  readonly addon: string;

  /** Compiles it; it is gone with the test. */
  constructor(t: Test) {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-witness-'));
    t.teardown(() => {
      rmSync(folder, { recursive: true, force: true });
    });
    this.file = join(folder, 'bytes');
    this.log = join(folder, 'tokens');
    this.addon = join(folder, 'witness.node');
    const flags = ['-shared', '-fPIC', '-O1', '-Wall', '-Werror', `-I${headers.include_dir}`];
    // The functions of Node-API are found in the process that loads it.
    if (process.platform === 'darwin') flags.push('-undefined', 'dynamic_lookup');
    execFileSync('cc', [...flags, source, '-o', this.addon]);
    writeFileSync(this.log, '');
  }

  /** The tokens granted for this byte, in order. */
  tokens(byte: number): bigint[] {
    return readFileSync(this.log, 'utf8')
      .split('\n')
      .map((line) => line.split(' '))
      .filter(([which]) => which === String(byte))
      .map(([, token = '']) => BigInt(token));
  }
}

/** How many are not above the one before. */
export function regressions(tokens: readonly bigint[]): number {
  return tokens.filter((token, i) => i > 0 && token <= (tokens[i - 1] ?? 0n)).length;
}
