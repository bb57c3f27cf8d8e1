/** What `holdfast why` tells to type does what it is for, whatever is in the words. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import type { Arguments } from '../../lib/cli/arguments.js';
import { quoted, typed } from '../../lib/cli/shell.js';
import { callMain, commandEnv, programCommand } from '../helpers/cli.js';

const program = programCommand([]).flat().map(quoted).join(' ');

/** The lines, each as it stands, in a shell that has a function of this name. */
function type(lines: readonly string[]): string {
  const script = `holdfast() { ${program} "$@"; }\n${lines.join('\n')}`;
  return execFileSync('bash', ['-c', script], { encoding: 'utf8', env: commandEnv({}) });
}

async function told(t: Test, place: string[], name: string): Promise<string[]> {
  const { out } = await callMain(['why', ...place, '--', name], {});
  t.notMatch(out, /[\0-\x09\x0b-\x1f\x7f\x80-\x9f\u202A-\u202E]/, 'nothing that steers a terminal');
  return out.split('\n').flatMap((line) => /^ {2}\$ (.*)$/.exec(line)?.[1] ?? []);
}

const names = [
  '-n',
  '--json',
  "o'neil's job",
  'a\nb\\',
  '\u001b[2J',
  '\u009b1m9',
  'a\u202Eb',
  '=ls',
  '$(ls) `x`',
];

await t.test('held by somebody: unlocked as its owner; then locked', async (t) => {
  const root = join(t.testdir(), "a folder's name");
  for (const [at, name] of names.entries()) {
    const owner = ['me', '-o', 'a\tb'][at % 3] ?? '';
    const words = ['lock', '--root', root, `--owner=${owner}`, '--', name];
    t.match(await callMain(words, {}), { code: 0 });
    const [unlock = '', force = ''] = await told(t, ['--root', root], name);
    t.match(type([unlock]), /^unlocked /, unlock);
    const [lock = ''] = await told(t, ['--root', root], name);
    t.match(type([lock, force]), /^locked [^]*\nbroke /, `${lock}; ${force}`);
  }
});

await t.test('frozen: thawed', async (t) => {
  const place = ['--root', join(t.testdir(), '-r')];
  await callMain(['freeze', '--ttl', '1h', ...place, '--', '-n'], {});
  t.match(type(await told(t, place, '-n')), /^unfroze -n\n$/);
});

await t.test('a store is named again, its password is not', (t) => {
  const line = (store: string): string => {
    const args = { text: (name: string) => (name === 'store' ? store : undefined) };
    return typed(args as Arguments, 'lock', 'x');
  };
  t.equal(line('etcd://host:2379/p'), 'holdfast lock x --store etcd://host:2379/p');
  t.equal(line('etcd://me:secret@host/p'), 'holdfast lock x --store etcd://me:PASSWORD@host/p');
  t.end();
});
