/**
 * Every command, as data: what `--help`, the completions and docs/cli.md are made of, and what
 * arguments are read by. How a command works is in the file of its name.
 */
import { json, owner, ttl, type CommandSpec } from './spec.js';

export const specs: readonly CommandSpec[] = [
  {
    name: 'lock',
    usage: 'NAME [options]',
    summary: 'take a lease that outlives this command',
    details: [
      'It stands until its TTL is over or somebody unlocks it. An owner that is named by --owner',
      'or HOLDFAST_OWNER and holds it already renews it: same id, same token.',
    ],
    options: {
      ttl: { ...ttl, text: 'end it after so long (default: it stands until unlocked)' },
      wait: { text: 'wait for as long as it takes' },
      timeout: { short: 'w', value: 'DURATION', text: 'wait for at most so long' },
      owner,
      meta: { value: 'JSON', text: 'something for those who look' },
      'break-stale': { text: 'accepted for old scripts: what is stale is taken in any case' },
      json,
    },
    operands: [1, 1],
    changes: true,
    examples: ['holdfast lock deploy --ttl 10m', 'holdfast lock db --ttl 30s --timeout 5s --json'],
  },
  {
    name: 'unlock',
    usage: 'NAME... | --all [options]',
    summary: 'end a lease',
    options: {
      all: { text: 'all leases of this owner' },
      force: { short: 'f', text: "somebody else's too, alive or not" },
      'break-stale': { text: 'only if it is stale: dead, expired or unreadable' },
      owner,
      json,
    },
    operands: [0, 64],
    changes: true,
    examples: ['holdfast unlock deploy', 'holdfast unlock deploy --force'],
  },
  {
    name: 'guard',
    usage: 'NAME [options] -- COMMAND... | --file PATH [options] -- COMMAND...',
    summary: 'hold a lease, or a file lock, while a command runs',
    details: [
      'The command is told HOLDFAST_NAME, HOLDFAST_TOKEN, HOLDFAST_ID and HOLDFAST_DIR, and by',
      'HOLDFAST_STORE what --store was. When it ends the lease is released, and its exit code is that',
      'of guard: 128 and the number of the signal if one ended it, 127 if it was not found, 126 if it',
      'could not be run.',
      '',
      'If the lease is lost the command is sent TERM, and KILL after a while; guard exits with 5.',
      '',
      'INT, TERM, HUP and QUIT are passed on, to the command and all that it has started: it gets a',
      'session of its own. Where stdin is a terminal it does not, and signals go to the command alone;',
      'INT and QUIT do not then, for they come from keys, and the terminal itself sends them.',
      '',
      'If guard is killed (KILL), the lease stands until the command and all that it has started are',
      'gone; on Windows they are killed, too. With --ttl nobody renews it any more: when the TTL is over',
      'it may be taken although they run.',
      '',
      'With --file it locks that file, made if it is missing, as flock(1) does: each keeps the other out.',
      'It waits unless told otherwise.',
    ],
    options: {
      ttl: { ...ttl, text: 'renew it, and let others have it if it is not renewed for so long' },
      wait: { text: 'wait for as long as it takes' },
      timeout: { short: 'w', value: 'DURATION', text: 'wait for at most so long' },
      owner,
      meta: { value: 'JSON', text: 'something for those who look' },
      'kill-after': {
        value: 'DURATION',
        text: 'from TERM to KILL when the lease is lost (default: 10s)',
      },
      file: { value: 'PATH', text: 'lock this file instead' },
      shared: { short: 's', text: 'with --file: together with others that share it' },
      'no-wait': { short: 'n', text: 'with --file: fail at once' },
      'conflict-exit-code': {
        short: 'E',
        value: 'N',
        text: 'with --file: exit so when somebody else has it (default: 2)',
      },
      json: { text: 'print a refusal as JSON' },
    },
    operands: [0, 1],
    changes: true,
    command: true,
    examples: [
      'holdfast guard deploy -- ./deploy.sh',
      'holdfast guard tests --wait --ttl 1m -- npm test',
      'holdfast guard --file /var/lock/backup -n -- rsync -a src/ dst/',
    ],
  },
  {
    name: 'status',
    usage: '[NAME...] [options]',
    summary: 'show who holds what',
    options: {
      watch: { short: 'W', text: 'go on, and draw anew when something changes' },
      prune: { text: 'remove what is stale first' },
      prefix: { value: 'TEXT', text: 'only names that begin so' },
      json,
    },
    operands: [0, 64],
    changes: true,
    examples: ['holdfast status', 'holdfast status deploy --json'],
  },
  {
    name: 'exists',
    usage: 'NAME [options]',
    summary: 'exit 0 if somebody holds it, 3 if not; prints nothing',
    options: { json },
    operands: [1, 1],
    examples: ['holdfast exists deploy || holdfast lock deploy'],
  },
  {
    name: 'why',
    usage: 'NAME [options]',
    summary: 'say what keeps a name from being locked, and what to type next',
    options: { json },
    operands: [1, 1],
  },
  {
    name: 'freeze',
    usage: 'NAME --ttl DURATION [options]',
    summary: 'let nobody new have it for a while',
    details: ['Whoever holds it goes on. Those who wait already have to wait for the end of it.'],
    options: { ttl: { ...ttl, text: 'for how long (required)' }, owner, json },
    operands: [1, 1],
    changes: true,
    examples: ['holdfast freeze deploy --ttl 30m'],
  },
  {
    name: 'unfreeze',
    usage: 'NAME [options]',
    summary: 'end a freeze',
    options: { owner, json },
    operands: [1, 1],
    changes: true,
  },
  {
    name: 'audit',
    usage: '[options]',
    summary: 'show what has happened: who took, was refused, gave back or broke what',
    details: [
      'lock, unlock, guard, freeze, unfreeze and status --prune write it down: audit.log, in the folder',
      'of the leases, has a line of JSON for each event. Before it grows beyond 10 MB it is put aside as',
      'audit.log.1, that as audit.log.2; five are kept, and shown as well. A log that cannot be written',
      'is a warning on stderr, and no reason for the command to fail.',
      '',
      'Lines that cannot be read are told on stderr, with --json among the others as the event damaged.',
    ],
    options: {
      since: {
        value: 'WHEN',
        text: 'not what is older: 90, 30s, 2h; or 2026-01-31, 2026-01-31T12:00',
      },
      tail: { short: 'f', text: 'the last ten, and whatever comes, until Ctrl-C' },
      name: { value: 'NAME', text: 'only of this lease' },
      json: { text: 'print the lines as they stand, each an object' },
    },
    operands: [0, 0],
    examples: ['holdfast audit --since 2h', 'holdfast audit --tail --name deploy'],
  },
  {
    name: 'doctor',
    usage: '[options]',
    summary: 'try whether leases work in this folder',
    details: [
      'Another process takes a lease, this one must be refused, and get it when the other is killed.',
      'Filesystem, permissions, fsync, clocks and left-overs are looked at. Exits 1 if a check fails.',
    ],
    options: { json },
    operands: [0, 0],
  },
  {
    name: 'demo',
    usage: '[options]',
    summary: 'see what a lock is for',
    details: [
      'Several processes add entries to one JSON file, first without a lock and then with one, and',
      'the demo counts what is left. Then it shows who holds a lock that another process waits for.',
    ],
    options: {
      processes: { value: 'N', text: 'processes, 2 to 64 (default 8)' },
      entries: { value: 'N', text: 'entries that each of them adds, 1 to 10000 (default 250)' },
      json,
    },
    operands: [0, 0],
  },
  {
    name: 'version',
    usage: '',
    summary: 'print the version',
    options: {},
    operands: [0, 0],
  },
  {
    name: 'help',
    usage: '[COMMAND]',
    summary: 'print help',
    options: {},
    operands: [0, 1],
    values: () => shownSpecs.map(({ name }) => name),
  },
  {
    name: 'completion',
    usage: 'bash | zsh | fish',
    summary: 'print a script that completes commands, options and names',
    options: {},
    operands: [1, 1],
    values: () => ['bash', 'zsh', 'fish'],
    examples: ['eval "$(holdfast completion bash)"', 'holdfast completion fish | source'],
  },
  {
    name: '__complete',
    usage: '-- WORD...',
    summary: 'print what may stand in place of the last word',
    options: {},
    operands: [0, 0],
    command: true,
    hidden: true,
  },
];

/** Those that people are told of. */
export const shownSpecs: readonly CommandSpec[] = specs.filter(({ hidden }) => hidden !== true);

/** The command of this name. */
export function specOf(name: string): CommandSpec | undefined {
  return specs.find((spec) => spec.name === name);
}
