/**
 * The tests of leases can fail: the protocol is broken in one place after the other, and each time
 * somebody notices. The end of the output is a table.
 */
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { killers, noPowerCuts, type KillerName } from '../helpers/lease-killers.js';
import { isNative, leaseMutants } from '../helpers/lease-mutants.js';
import { mutateLibrary, MutantWorkshop } from '../helpers/package-copy.js';
import { packageRoot } from '../helpers/peer.js';
import { hasStrace } from '../helpers/strace.js';

const killersUsed = [...new Set(leaseMutants.map(({ killer }) => killer))];

const cannot: Partial<Record<KillerName, string>> = {};
for (const killer of [
  'the sync before the first token',
  'a waiter that is held up as it wakes',
] as const) {
  if (!hasStrace) cannot[killer] = 'strace is not installed';
}
const noCuts = killersUsed.includes('power cuts') ? noPowerCuts() : undefined;
if (noCuts !== undefined) cannot['power cuts'] = noCuts;
const unless = (killer: KillerName): { skip: string | false } => ({
  skip: cannot[killer] ?? false,
});

const trial = (t: Test, killer: KillerName, root: string): Promise<string | undefined> =>
  killers[killer](t, root, join(t.testdir({}), 'leases'));

await t.test('a sound package passes every trial', async (t) => {
  for (const killer of killersUsed) {
    await t.test(killer, unless(killer), async (t) => {
      t.equal(await trial(t, killer, packageRoot), undefined, 'nothing to be seen');
    });
  }
});

const rows: string[] = [];
const workshop = new MutantWorkshop(t);
for (const mutant of leaseMutants) {
  const { name, mutations, killer } = mutant;
  await t.test(name, unless(killer), async (t) => {
    const root = isNative(mutant) ? workshop.build(t, mutations) : mutateLibrary(t, mutations);
    const start = performance.now();
    const shown = await trial(t, killer, root);
    t.not(shown, undefined, `caught by ${killer}: ${shown ?? 'nothing'}`);
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    const verdict = shown === undefined ? 'SURVIVED' : `${killer}: ${shown}`;
    rows.push(`${name.padEnd(48)} ${seconds.padStart(5)} s  ${verdict}`);
  });
}
t.comment(['', 'mutant, seconds, what caught it', ...rows].join('\n'));
