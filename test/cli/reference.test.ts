/** docs/cli.md says what `--help` says, and all of it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import t from 'tap';

import { reference } from '../../lib/cli/reference.js';
import { shownSpecs } from '../../lib/cli/specs.js';
import { packageRoot } from '../helpers/peer.js';

await t.test('docs/cli.md is up to date: npm run docs:cli', async (t) => {
  const file = join(packageRoot, 'docs/cli.md');
  const options = await resolveConfig(file);
  t.equal(readFileSync(file, 'utf8'), await format(reference(), { ...options, filepath: file }));
});

await t.test('every command and option has a place', async (t) => {
  const text = reference();
  for (const { name, options } of shownSpecs) {
    t.match(text, `\n## holdfast ${name}\n`);
    for (const long of Object.keys(options)) t.match(text, `\`--${long}`);
  }
  t.notMatch(text, '__complete');
});
