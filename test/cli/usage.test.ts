/** Words that make no sense are 64, whatever the situation; words in any order make the same sense. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

import { main } from '../../lib/cli/main.js';
import { shownSpecs, specs } from '../../lib/cli/specs.js';
import { Leases } from '../../lib/index.js';
import { callMain, type Ended } from '../helpers/cli.js';

const wrong: readonly (readonly [words: readonly string[], complaint: RegExp])[] = [
  [['--bogus'], /^holdfast: a command is missing\nTry: holdfast help\n$/],
  [['frobnicate', 'x'], /^holdfast: there is no command 'frobnicate'\nTry: holdfast help\n$/],
  [['__proto__'], /there is no command/],
  [['help', 'frobnicate'], /there is no command 'frobnicate'/],
  [['lock'], /^holdfast lock: lock needs a name\nTry: holdfast lock --help\n$/],
  [['exists'], /needs a name/],
  [['why'], /needs a name/],
  [['freeze', '--ttl', '5m'], /needs a name/],
  [['unfreeze'], /needs a name/],
  [['unlock'], /needs a name, or --all/],
  [['unlock', 'x', '--all'], /needs a name, or --all/],
  [['unlock', 'x', '--force', '--break-stale'], /exclude each other/],
  [['lock', 'x', 'y'], /unexpected 'y'/],
  [['version', 'x'], /unexpected 'x'/],
  [['lock', ''], /name must not be empty/],
  [['lock', 'a\0b'], /name must not contain NUL/],
  [['lock', 'x'.repeat(4097)], /at most 4096 characters/],
  [['status', ''], /name must not be empty/],
  [['unlock', 'x', ''], /name must not be empty/],
  [['freeze', 'x'], /freeze needs --ttl/],
  [['lock', 'x', '--ttl'], /--ttl needs a value/],
  [['lock', 'x', '--ttl', '-5'], /--ttl needs a value/],
  [['lock', 'x', '--ttl', '--wait'], /--ttl needs a value/],
  [['lock', 'x', '--ttl', 'soon'], /--ttl must be a duration such as 90, .+, not 'soon'/],
  [['lock', 'x', '--ttl', '5 m'], /--ttl must be a duration/],
  [['lock', 'x', '--ttl', '0'], /--ttl must be more than 0 ms/],
  [['lock', 'x', '--ttl', '99999d'], /at most ten years/],
  [['lock', 'x', '--timeout=1h2m'], /--timeout must be a duration/],
  [['lock', 'x', '--meta', '{'], /--meta must be JSON/],
  [['lock', 'x', '--meta', JSON.stringify('m'.repeat(5000))], /meta must be at most 4096 bytes/],
  [['lock', 'x', '--owner', ''], /--owner must not be empty/],
  [['lock', 'x', '--owner', 'o'.repeat(1025)], /owner must have at most 1024 characters/],
  [['lock', 'x', '--root', ''], /--root must not be empty/],
  [['lock', 'x', '--json=yes'], /'--json' does not take an argument/],
  [['lock', 'x', '-W'], /unknown option '-W'/],
  [['lock', 'x', 'a\u001b[2Jb'], /unexpected 'a\ufffd\[2Jb'/],
  [['a\nb'], /there is no command 'a\ufffdb'/],
  [['completion'], /^holdfast completion: completion needs one of bash, zsh, fish\n/],
  [['audit', '--since', '2026-02-30'], /--since must be a time/],
  [['audit', '--name', ''], /the name must not be empty/],
  [['audit', '--name', '', '--tail'], /the name must not be empty/],
  [['audit', '--since', '2026-02-30T12:00'], /--since must be a time/],
  [['audit', '--since', '2026-13-01'], /--since must be a time/],
  [['demo', '--processes', '1'], /--processes must be a whole number from 2 to 64, not '1'/],
];

await t.test('wrong usage', async (t) => {
  const root = join(t.testdir(), 'leases');
  const env = { HOLDFAST_ROOT: root };
  const assertUsage = (words: readonly string[], { code, out, err }: Ended, text: RegExp): void => {
    const shown = words.join(' ').slice(0, 60);
    t.equal(code, 64, shown);
    t.equal(out, '', 'nothing on stdout');
    t.match(err, text);
    t.match(err, /^[^\n]+\nTry: holdfast [^\n]+\n$/, 'two lines');
  };
  for (const [words, text] of wrong) assertUsage(words, await callMain(words, env), text);
  for (const { name, operands } of specs) {
    const words = [name, ...Array<string>(operands[0]).fill('x'), '--no-such-flag'];
    assertUsage(words, await callMain(words, env), /unknown option '--no-such-flag'/);
    const json = await callMain([...words, '--json'], env);
    t.equal(json.code, 64);
    t.equal(json.err, '');
    t.match(JSON.parse(json.out), { ok: false, exitCode: 64, code: 'USAGE' });
  }
  t.notOk(existsSync(root), 'nothing was made');
});

await t.test('nothing at all is told what there is, on stderr', async (t) => {
  const { code, out, err } = await callMain([], {});
  t.equal(code, 64);
  t.equal(out, '');
  t.match(err, /^Usage: holdfast COMMAND/);
});

await t.test('a store of no known form is told by those that are about leases', async (t) => {
  const env = { HOLDFAST_STORE: 'redis://here' };
  for (const words of [['version'], ['help'], ['completion', 'bash'], ['demo', '--help']]) {
    t.match(await callMain(words, env), { code: 0, err: '' }, words.join(' '));
  }
  t.match(await callMain(['status'], env), { code: 64, err: /a store is etcd:/ });
});

await t.test('options stand before or after the command and the name', async (t) => {
  const folder = t.testdir();
  const orders = [
    ['lock', 'x', '--ttl', '5m', '--owner', 'me'],
    ['lock', '--ttl', '5m', 'x', '--owner=me'],
    ['lock', '--ttl=5m', '--owner', 'me', 'x'],
    ['--ttl', '5m', 'lock', '--owner', 'me', 'x'],
    ['-w', '0', '--owner', 'me', '--ttl', '300', 'lock', 'x'],
    ['lock', '--owner=me', '--ttl=5m', '--', 'x'],
  ];
  for (const [at, words] of orders.entries()) {
    const dir = join(folder, String(at));
    const { code, err } = await callMain(['--root', dir, ...words], {});
    t.equal(code, 0, `${words.join(' ')}: ${err}`);
    const info = await new Leases({ dir }).inspect('x');
    t.match(info, { ttl: 300_000, holder: { owner: 'me' } });
  }
});

await t.test('names that look like something else', async (t) => {
  const dir = t.testdir();
  const names = [
    'a b',
    'a/b',
    '../x',
    'con',
    'Groß 🔒',
    '-n',
    '--json',
    'x'.repeat(300),
    '\u001b[2J',
  ];
  for (const name of names) {
    const words = (command: string): string[] => [command, '--root', dir, '--', name];
    t.match(await callMain(words('lock'), {}), { code: 0 }, name);
    t.match(await callMain(words('exists'), {}), { code: 0 });
    const why = await callMain(words('why'), {});
    t.equal(why.code, 2);
    t.notMatch(why.out, /[\0-\x09\x0b-\x1f\x7f]/, 'no control characters');
    t.match(await callMain(words('unlock'), {}), { code: 0 });
    t.match(await callMain(words('exists'), {}), { code: 3 });
  }
});

await t.test('help of every command, wherever --help stands', async (t) => {
  for (const { name } of specs) {
    const { code, out, err } = await callMain(['help', name], {});
    t.equal(code, 0);
    t.equal(err, '');
    t.match(out, new RegExp(`^Usage: holdfast ${name}`));
    t.notOk(
      out.split('\n').some((line) => line.length > 100),
      'fits a terminal',
    );
    t.same(await callMain([name, '--help'], {}), { code, out, err });
    t.same(await callMain(['-h', name], {}), { code, out, err });
  }
  const overview = await callMain(['help'], {});
  t.equal(overview.code, 0);
  t.same(await callMain(['--help'], {}), overview);
  for (const { name } of shownSpecs) t.match(overview.out, `\n  ${name} `);
});

await t.test('a fault of ours does not blame the user', async (t) => {
  const broken = {
    write: () => {
      throw new TypeError('a bug');
    },
    on: () => undefined,
  };
  let err = '';
  const errors = { write: (text: string) => (err += text), on: () => undefined };
  const around = { output: broken, errors, env: {} } as unknown as Parameters<typeof main>[1];
  t.equal(await main(['version'], around), 1);
  t.equal(err, 'holdfast version: a bug\n');
});
