/**
 * Try + release of a file itself (`sidecar: false`), against the six system calls that it needs:
 * open, fstat, flock, stat, flock, close. The ratio is what JavaScript and Node-API add.
 */
import { measureLoop } from '../lib/loop.mjs';

export const title = 'try + release, sync, no sidecar';

export function measure(bench) {
  const aim = { ratio: 1.25 };
  return measureLoop({ name: title, loop: 'tryRelease', form: 'bare', aim }, bench);
}
