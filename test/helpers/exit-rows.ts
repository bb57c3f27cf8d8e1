/** What every command answers in every situation; see test/cli/exit-codes.test.ts. */
import type { Situation } from './situations.js';

/** `out` and `err` as patterns; '' is nothing at all. */
export type Row = [words: string, code: number, out: RegExp | '', err: RegExp | ''];

const byOther = /^x is held by other@test \(pid \d+: .+\) for .+; token \d+\n$/;
const alive = /^x is held by other@test \(pid \d+: .+\) for [^,]+; token \d+\n$/;
const locked = /^locked x until unlocked; token \d+\n$/;
const unreadable = /^x cannot be read \(.+\); --force removes it\n$/;
const free = /^x is free\n {2}\$ holdfast lock x\n$/;
const frozen = /^x is frozen by other@test, .+ left\n$/;
const notFrozen = /^x is not frozen\n$/;
const nobody = /^nobody holds x\n$/;
const table = (...words: string[]): RegExp =>
  new RegExp(`^name +state +owner +process +for +left +token\\nx +${words.join('.*')}.*\\n$`);

const nothingThere: Row[] = [
  ['lock x', 0, locked, ''],
  ['lock x --ttl 5m', 0, /^locked x for 5m; token \d+\n$/, ''],
  ['lock x --wait', 0, locked, ''],
  ['unlock x', 3, '', nobody],
  ['unlock x --force', 3, '', nobody],
  ['unlock x --break-stale', 3, '', nobody],
  ['unlock --all', 3, '', /^me@test holds nothing that lock has left\n$/],
  ['status', 0, /^nobody holds anything in /, ''],
  ['status x', 3, '', nobody],
  ['status --prune', 0, /^nobody holds anything in /, ''],
  ['exists x', 3, '', ''],
  ['why x', 0, free, ''],
  ['freeze x --ttl 5m', 0, /^froze x for 5m\n$/, ''],
  ['unfreeze x', 3, '', notFrozen],
  ['guard x -- true', 0, '', ''],
  ['guard x -- /no/such', 127, '', /^holdfast guard: \/no\/such: not found\n$/],
  ['guard x -- /', 126, '', /^holdfast guard: \/: permission denied\n$/],
];

/** Nobody is behind it: whoever asks next takes it. */
const corrupt: Row[] = [
  ['lock x', 0, locked, ''],
  ['unlock x', 1, '', unreadable],
  ['unlock x --force', 0, /^broke x\n$/, ''],
  ['unlock x --break-stale', 0, /^broke x: unreadable\n$/, ''],
  ['status', 0, table('corrupt'), ''],
  ['status --prune', 0, /^nobody holds anything/, ''],
  ['exists x', 3, '', ''],
  ['why x', 0, /^the record of x cannot be read \([^)]+\)[^]+holdfast lock x\n$/, ''],
  ['freeze x --ttl 1m', 0, /^froze x for 1m\n$/, ''],
  ['unfreeze x', 3, '', notFrozen],
  ['guard x -- true', 0, '', ''],
];

const notRegular: Row[] = [
  ...['lock', 'unlock', 'unlock --force', 'unlock --break-stale', 'exists', 'status', 'why'],
  ...['unfreeze', 'freeze --ttl 1m', 'guard'],
].map((command) => {
  const line = `${command} x${command === 'guard' ? ' -- true' : ''}`;
  return [line, 1, '', /^holdfast \w+: .+x\.lock: not a regular file\n$/];
});

const stale = (state: string, why: string): Row[] => [
  ['lock x', 0, locked, ''],
  ['lock x --break-stale --ttl 1h', 0, /^locked x for 1h; /, ''],
  ['unlock x --force', 0, /^broke x\n$/, ''],
  ['unlock x --break-stale', 0, new RegExp(`^broke x: ${why}\\n$`), ''],
  ['status', 0, table(state), ''],
  ['status x --prune', 3, '', nobody],
  ['exists x', 3, '', ''],
  ['why x', 0, /: whoever asks next takes it\n {2}\$ holdfast lock x\n$/, ''],
];

const leftOver = /^nobody holds x any more \((ttl over|holder dead)\); --break-stale removes what/;

export const rows: Partial<Record<Situation, Row[]>> = {
  missing: nothingThere,
  free: nothingThere,
  mine: [
    ['lock x', 0, /^renewed x until unlocked; token \d+\n$/, ''],
    ['lock x --ttl 2h', 0, /^renewed x for 2h; /, ''],
    ['unlock x', 0, /^unlocked x\n$/, ''],
    ['unlock x --break-stale', 2, '', /^x is held by me@test /],
    ['unlock --all', 0, /^unlocked x\n$/, ''],
    ['exists x', 0, '', ''],
    ['status', 0, table('detached', 'me@test'), ''],
  ],
  theirs: [
    ['lock x', 2, '', byOther],
    ['lock x --timeout 10ms', 2, '', byOther],
    ['lock x --wait --timeout 10ms', 2, '', byOther],
    ['lock x --owner other@test', 0, /^renewed x /, ''],
    ['unlock x', 4, '', /^x is held by other@test .*: not yours; --force breaks it\n$/],
    ['unlock x --owner other@test', 0, /^unlocked x\n$/, ''],
    ['unlock x --force', 0, /^broke x\n$/, ''],
    ['unlock x --break-stale', 2, '', byOther],
    ['unlock --all', 3, '', /holds nothing/],
    ['exists x', 0, '', ''],
    ['status --prune', 0, table('detached', 'other@test'), ''],
    ['why x', 2, /^x is held by other@test[^]+unlock x --owner other@test\n[^]+--force\n$/, ''],
    ['guard x -- true', 2, '', byOther],
    ['freeze x --ttl 9', 0, /^froze x for 9s\n$/, ''],
  ],
  'mine alive': [
    ['lock x', 2, '', /^x is held by me@test /],
    ['unlock x', 4, '', /it ends with its process; --force breaks it\n$/],
    ['unlock x --force', 0, /^broke x\n$/, ''],
    ['unlock --all', 3, '', /holds nothing/],
    ['unlock --all --force', 0, /^broke x\n$/, ''],
  ],
  'theirs alive': [
    ['lock x', 2, '', alive],
    ['lock x --owner other@test', 2, '', alive],
    ['lock x -w 10ms', 2, '', alive],
    ['unlock x', 4, '', /not yours/],
    ['unlock x --break-stale', 2, '', alive],
    ['unlock x --force', 0, /^broke x\n$/, ''],
    ['status', 0, table('attached', 'other@test'), ''],
    ['exists x', 0, '', ''],
    ['why x', 2, /^x is held by [^]+ends with it\n {2}\$ holdfast unlock x --force\n$/, ''],
  ],
  'mine dead': [...stale('dead', 'holder dead'), ['unlock x', 0, /^broke x: holder dead\n$/, '']],
  'theirs dead': [...stale('dead', 'holder dead'), ['unlock x', 3, '', leftOver]],
  'mine expired': [...stale('expired', 'ttl over'), ['unlock x', 0, /^unlocked x\n$/, '']],
  'theirs expired': [...stale('expired', 'ttl over'), ['unlock x', 3, '', leftOver]],
  frozen: [
    ['lock x', 2, '', frozen],
    ['lock x --timeout 10ms', 2, '', frozen],
    ['unlock x --force', 3, '', nobody],
    ['status', 0, table('frozen'), ''],
    ['exists x', 3, '', ''],
    ['guard x -- true', 2, '', frozen],
    ['why x', 2, /^x is frozen by other@test [^]+\$ holdfast unfreeze x\n$/, ''],
    ['unfreeze x', 0, /^unfroze x\n$/, ''],
    ['freeze x --ttl 2h', 0, /^froze x for 2h\n$/, ''],
  ],
  'frozen theirs': [
    ['lock x', 2, '', byOther],
    ['lock x --owner other@test', 0, /^renewed x /, ''],
    ['exists x', 0, '', ''],
    ['status', 0, table('detached, frozen'), ''],
    ['why x', 2, /is held by [^]+is frozen by [^]+unfreeze x[^]+unlock x --force/, ''],
    ['unlock x --owner other@test', 0, /^unlocked x\n$/, ''],
  ],
  'frozen expired': [
    ['lock x', 2, '', frozen],
    ['exists x', 3, '', ''],
    ['unlock x --break-stale', 0, /^broke x: /, ''],
    ['unlock x --force', 0, /^broke x\n$/, ''],
  ],
  empty: corrupt,
  random: corrupt,
  'wrong schema': corrupt,
  truncated: corrupt,
  future: [
    ['lock x', 2, '', /^x is held by somebody \(newer version\)\n$/],
    ['lock x -w 10ms', 2, '', /newer version/],
    ['unlock x', 1, '', unreadable],
    ['unlock x --break-stale', 2, '', /newer version/],
    ['unlock x --force', 0, /^broke x\n$/, ''],
    ['status --prune', 0, table('newer version'), ''],
    ['exists x', 0, '', ''],
    ['why x', 2, /newer version[^]+unlock x --force\n$/, ''],
    ['freeze x --ttl 1m', 0, /^froze x for 1m\n$/, ''],
    ['unfreeze x', 3, '', notFrozen],
    ['guard x -- true', 2, '', /^x is held by somebody \(newer version\)\n$/],
  ],
  'damaged freeze': [
    ...nothingThere.filter(([line]) => !line.startsWith('freeze')),
    ['freeze x --ttl 1m', 0, /^froze x for 1m\n$/, ''],
  ],
  'damaged guard': nothingThere,
  'future freeze': [
    ['lock x', 2, '', /^x is frozen by a later version\n$/],
    ['guard x -- true', 2, '', /^x is frozen by a later version\n$/],
    ['unlock x --force', 3, '', nobody],
    ['status --prune', 0, table('frozen'), ''],
    ['exists x', 3, '', ''],
    ['why x', 2, /^x is frozen by a later version\n {2}\$ holdfast unfreeze x\n$/, ''],
    ['freeze x --ttl 1m', 0, /^froze x for 1m\n$/, ''],
    ['unfreeze x', 0, /^unfroze x\n$/, ''],
  ],
  sidecar: [
    ['lock x', 2, '', /^x is held by somebody \(sidecar\)\n$/],
    ['unlock x', 1, '', /^x is the sidecar of a file lock, no lease\n$/],
    ['unlock x --force', 2, '', /x\.lock is the sidecar of a file lock/],
    ['status', 0, /^nobody holds anything/, ''],
    ['exists x', 0, '', ''],
    ['unlock x --break-stale', 2, '', /\(sidecar\)/],
    ['why x', 2, /^x is held by somebody \(sidecar\)\nx\.lock .+: take another name\n$/, ''],
    ['freeze x --ttl 1m', 0, /^froze x for 1m\n$/, ''],
    ['unfreeze x', 3, '', notFrozen],
    ['guard x -- true', 2, '', /^x is held by somebody \(sidecar\)\n$/],
  ],
  directory: notRegular,
  fifo: notRegular,
};
