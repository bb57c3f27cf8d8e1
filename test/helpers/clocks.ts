/** Processes whose clocks are wrong, or have another zero. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { LeaseProcessOptions } from './lease-process.js';

/** Where Debian has it; `.ci/run` installs it. */
const library = ((): string | undefined => {
  try {
    const places = readdirSync('/usr/lib').map((arch) => join('/usr/lib', arch, 'faketime'));
    return places
      .flatMap((folder) => {
        try {
          return readdirSync(folder).map((file) => join(folder, file));
        } catch {
          return [];
        }
      })
      .find((path) => path.endsWith('/libfaketimeMT.so.1'));
  } catch {
    return undefined;
  }
})();

export const hasFaketime = library !== undefined;

/** A wall clock that is off; the monotonic and the boot-time clock are those of the system. */
export function wallClock(fake: string): LeaseProcessOptions {
  const quiet = { DONT_FAKE_MONOTONIC: '1', NO_FAKE_STAT: '1' };
  return { env: { LD_PRELOAD: library, FAKETIME: fake, ...quiet } };
}

const noOffsets = fileURLToPath(new URL('../fixtures/no-offsets.mjs', import.meta.url));

/** It cannot know how its clocks relate to those of others. */
export const withoutOffsets: LeaseProcessOptions = { execArgv: ['--import', noOffsets] };

/** Only root may make a time namespace. */
export const hasNamespaces = process.platform === 'linux' && process.getuid?.() === 0;

/** Another time namespace: its monotonic and boot-time clock began at other times. */
export const otherNamespace: LeaseProcessOptions = {
  prefix: ['unshare', '--time', '--boottime', '90000', '--monotonic', '5000', '--fork'],
};
