/** Completion, asked as the shells ask it, and by those shells that are there. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import t from 'tap';

import { Leases } from '../../lib/index.js';
import { shownSpecs } from '../../lib/cli/specs.js';
import { callMain, commandEnv, programOf } from '../helpers/cli.js';

const commands = shownSpecs.map(({ name }) => name);

await t.test('what may stand in place of the last word', async (t) => {
  const dir = t.testdir();
  for (const name of ['deploy', 'db one', 'evil\nname']) {
    await new Leases({ dir }).acquire(name, { detached: true, ttl: '1h' });
  }
  const names = ['db one', 'deploy'];
  const cases: [words: string[], found: string[]][] = [
    [[], commands],
    [[''], commands],
    [['unl'], ['unlock']],
    [['__'], []],
    [['unlock', ''], names],
    [['unlock', 'dep'], ['deploy']],
    [['unlock', 'deploy', ''], ['db one']],
    [['lock', '--ttl', ''], []],
    [['lock', '-w', ''], []],
    [['lock', '--ttl', '5', ''], names],
    [['--ttl', '5', 'lock', ''], names],
    [['lock', 'deploy', ''], []],
    [
      ['lock', '--t'],
      ['--ttl', '--timeout'],
    ],
    [['help', 'unf'], ['unfreeze']],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['nonsense', ''], []],
  ];
  for (const [words, found] of cases) {
    const { code, out, err } = await callMain(['__complete', '--', ...words], {
      HOLDFAST_ROOT: dir,
    });
    t.match({ code, err }, { code: 0, err: '' });
    t.strictSame(out.split('\n').slice(0, -1), found, words.join(' '));
  }
});

await t.test('names are looked for where the words say', async (t) => {
  const [dir, other] = [join(t.testdir(), 'dir'), join(t.testdir(), 'other')];
  await new Leases({ dir }).acquire('here', { detached: true, ttl: '1h' });
  await new Leases({ dir: other }).acquire('there', { detached: true, ttl: '1h' });
  const lines = [
    ['unlock', '--root', other, ''],
    ['--root', other, 'unlock', ''],
    ['unlock', `--root=${other}`, ''],
    ['unlock', '--root', dir, '--root', other, ''],
  ];
  for (const words of lines) {
    const found = await callMain(['__complete', '--', ...words], { HOLDFAST_ROOT: dir });
    t.match(found, { code: 0, out: /^there\n$/, err: '' }, words.join(' '));
  }
  const unfinished = await callMain(['__complete', '--', 'unlock', '--root'], {
    HOLDFAST_ROOT: dir,
  });
  t.match(unfinished, { code: 0, err: '' });
});

/** Completes a line in a shell and prints what it found, one a line. */
const shells: Record<string, { args: string[]; script: string; found: string }> = {
  bash: {
    args: ['--norc', '-c'],
    script: `eval "$(holdfast completion bash)"
COMP_WORDS=(holdfast unlock d); COMP_CWORD=2; _holdfast; printf '%s\\n' "\${COMPREPLY[@]}"`,
    found: 'db\\ one\ndeploy\n',
  },
  zsh: {
    args: ['-f', '-c'],
    script: `autoload -U compinit && compinit -D
eval "$(holdfast completion zsh)"
compadd() { shift; print -l -- "$@" }
words=(holdfast unlock d); CURRENT=3; _holdfast`,
    found: 'db one\ndeploy\n',
  },
  fish: {
    args: ['--no-config', '-c'],
    script: `holdfast completion fish | source; complete -C 'holdfast unlock d'`,
    found: 'db one\ndeploy\n',
  },
};

/** As npm would install it. */
const wrapper = `#!/bin/sh\nexec '${process.execPath}' '${programOf()}' "$@"\n`;

for (const [shell, { args, script, found }] of Object.entries(shells)) {
  const missing = spawnSync(shell, ['-c', 'true']).status !== 0;
  // Not every machine has every shell; that of the gate has bash.
  await t.test(shell, { skip: missing && `no ${shell} here` }, async (t) => {
    const top = t.testdir();
    const [dir, bin] = [join(top, 'leases'), join(top, 'bin')];
    mkdirSync(bin);
    writeFileSync(join(bin, 'holdfast'), wrapper, { mode: 0o755 });
    for (const name of ['deploy', 'db one']) {
      await new Leases({ dir }).acquire(name, { detached: true, ttl: '1h' });
    }
    const env = commandEnv({ HOLDFAST_ROOT: dir, HOME: top });
    const path = [bin, env['PATH']].join(delimiter);
    const options = { env: { ...env, PATH: path }, encoding: 'utf8' } as const;
    t.equal(execFileSync(shell, [...args, script], options), found);
  });
}

/**
 * How bash takes a line apart that it completes, and what it replaces: the last part, with the @ before
 * it if there is one (bash 5.2, in a terminal).
 */
const lines: [parts: string[], line: string, replies: string[]][] = [
  [['holdfast', 'unlock', 'team', ':'], 'holdfast unlock team:', ['deploy', 'two\\ words']],
  [['holdfast', 'unlock', 'team', ':', 'de'], 'holdfast unlock team:de', ['deploy']],
  [['holdfast', 'unlock', 'a', '='], 'holdfast unlock a=', ['b']],
  [['holdfast', 'unlock', 'me', '@'], 'holdfast unlock me@', ['@you']],
  [['holdfast', 'unlock', 'me', '@', 'y'], 'holdfast unlock me@y', ['@you']],
  [['holdfast', 'unlock', "'x y'", 'a'], "holdfast  unlock 'x y' a", ['a=b']],
  [
    ['holdfast', 'unlock', ''],
    'holdfast unlock ',
    ['a=b', 'me@you', 'team:deploy', 'team:two\\ words'],
  ],
];

await t.test('bash takes names apart that have a colon', async (t) => {
  const top = t.testdir();
  const [dir, bin] = [join(top, 'leases'), join(top, 'bin')];
  mkdirSync(bin);
  writeFileSync(join(bin, 'holdfast'), wrapper, { mode: 0o755 });
  for (const name of ['team:deploy', 'team:two words', 'a=b', 'me@you']) {
    await new Leases({ dir }).acquire(name, { detached: true, ttl: '1h' });
  }
  const env = commandEnv({ HOLDFAST_ROOT: dir, HOME: top });
  const path = [bin, env['PATH']].join(delimiter);
  const options = { env: { ...env, PATH: path }, encoding: 'utf8' } as const;
  const script = `eval "$(holdfast completion bash)"
COMP_LINE=$1 COMP_POINT=\${#1}; shift; COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 ))
_holdfast; printf '%s\\n' "\${COMPREPLY[@]}"`;
  for (const [parts, line, replies] of lines) {
    const found = execFileSync('bash', ['--norc', '-c', script, 'bash', line, ...parts], options);
    t.strictSame(found.split('\n').slice(0, -1).sort(), replies, line);
  }
});
