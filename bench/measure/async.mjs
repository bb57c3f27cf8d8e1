/**
 * Lock + release through promises, without contention, in both forms. The floor is that of the
 * synchronous forms: there is no promise in C.
 */
import { measureLoop } from '../lib/loop.mjs';

export const title = 'lock + release, async';

export async function measure(bench) {
  const rows = [];
  for (const form of ['bare', 'sidecar']) {
    const name = `${title}, ${form === 'bare' ? 'no sidecar' : 'sidecar'}`;
    const aim = { below: 5 };
    rows.push(...(await measureLoop({ name, loop: 'lockRelease', form, aim }, bench)));
  }
  return rows;
}
