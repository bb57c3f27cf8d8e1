/**
 * Try + release with a sidecar, against the eleven system calls that it needs: the holder reads
 * who was there before, signs in, and signs out again.
 */
import { measureLoop } from '../lib/loop.mjs';

export const title = 'try + release, sync, sidecar';

export function measure(bench) {
  const aim = { ratio: 1.25 };
  return measureLoop({ name: title, loop: 'tryRelease', form: 'sidecar', aim }, bench);
}
