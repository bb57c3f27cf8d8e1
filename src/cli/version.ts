/** `holdfast version` */
import { readFileSync } from 'node:fs';

import { packageRoot } from '../package-root.js';
import type { Context } from './context.js';
import { ExitCode } from './exit-codes.js';

export function run({ output }: Context): Promise<number> {
  output.write(`${version()}\n`);
  return Promise.resolve(ExitCode.ok);
}

/** Of this package. */
export function version(): string {
  const text = readFileSync(new URL('package.json', packageRoot), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
