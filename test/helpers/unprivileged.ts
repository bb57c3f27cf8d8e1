/** Peers without root's powers: permissions mean nothing to root. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';

import { copyPackage } from './package-copy.js';
import { Peer } from './peer.js';

const nobody = 65534;

/** A process of another, powerless user if we are root; else simply another process. */
export function unprivilegedPeer(t: Test): Promise<Peer> {
  if (process.getuid?.() !== 0) return Peer.start(t);
  return Peer.start(t, { root: copyPackage(t), uid: nobody });
}

/** A folder that everybody may write to, outside of the working tree. */
export function openFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
  chmodSync(folder, 0o777);
  t.teardown(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}
