/** What can be known of the workflows without running them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

import { packageRoot } from './helpers/peer.js';

const folder = join(packageRoot, '.github/workflows');
const workflows = readdirSync(folder).map((name) => ({
  name,
  text: readFileSync(join(folder, name), 'utf8'),
}));
const { scripts } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};
const release = readFileSync(join(folder, 'release.yml'), 'utf8');

await t.test('every action is pinned by a commit, and its version told', (t) => {
  for (const { name, text } of workflows) {
    for (const [line, action] of text.matchAll(/uses: (\S+).*/g)) {
      if (action?.startsWith('./') === true) t.ok(existsSync(join(packageRoot, action)), line);
      else t.match(line, /@[0-9a-f]{40} # v\d/, name);
    }
  }
  t.end();
});

await t.test('what they run is there', (t) => {
  for (const { text } of workflows) {
    for (const [, script = ''] of text.matchAll(/npm run ([\w:]+)/g)) t.ok(scripts[script], script);
    for (const [, file = ''] of text.matchAll(/\b((?:scripts|test)\/[\w./-]+)/g)) {
      t.ok(existsSync(join(packageRoot, file)), file);
    }
  }
  t.end();
});

await t.test('they may read, and the one that publishes may prove who it is', (t) => {
  for (const { name, text } of workflows) {
    t.match(text, /^permissions:\n {2}contents: read$/m, name);
    t.equal(text.replace('id-token: write', '').includes(': write'), false, name);
    t.equal(text.includes('id-token: write'), name === 'release.yml', name);
  }
  t.end();
});

await t.test('a release asks for every target that the documentation promises', (t) => {
  const promised = readFileSync(join(packageRoot, 'docs/platforms.md'), 'utf8')
    .split('\n')
    .flatMap((line) => /^\| ((?:linux|darwin|win32)-\w+(?:, \w+)?)\s+\|/.exec(line)?.[1] ?? [])
    .map((target) => target.replace(', ', '.'));
  t.equal(promised.length, 8);
  const asked = /check:prebuilds -- ([^]*?)\n {6}- /.exec(release)?.[1]?.trim().split(/\s+/);
  t.strictSame(asked?.sort(), promised.sort());
  // npm refuses a proof for a package that does not name the repository it was built from.
  t.match(release, /npm pkg set "repository\.url=[^]*npm publish --provenance/);
  t.end();
});
