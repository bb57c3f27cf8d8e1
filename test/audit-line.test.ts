/** The lines of the audit log: each event's, exactly, for those who read it are not ours. */
import t from 'tap';

import { auditLine, longestLine, type AuditEvent } from '../lib/audit-line.js';
import type { LeaseEvent } from '../lib/index.js';

const source = { time: new Date(1_700_000_000_000), pid: 42, host: 'box' };
const time = '2023-11-14T22:13:20.000Z';
const id = 'a'.repeat(32);
const message: LeaseEvent = {
  kind: 'lease',
  store: 'file',
  location: '/srv/leases',
  name: 'build',
  id,
  token: 7n,
  owner: 'ann',
  by: 'ann',
  detached: false,
  ttl: 30_000,
};

/** The line of a lease's event, as text: the order of the fields is API, too. */
function line(event: AuditEvent, more: Partial<LeaseEvent> & { result?: unknown } = {}): string {
  return auditLine(event, { ...message, ...more }, source);
}

/** What every line of a lease has, and what comes after it. */
function expected(event: AuditEvent, rest = '', { token = '"7"', by = 'ann' } = {}): string {
  return (
    `{"v":1,"time":"${time}","event":"${event}","kind":"lease","name":"build","id":"${id}",` +
    `"token":${token},"owner":"ann","by":"${by}","pid":42,"host":"box",` +
    `"location":"/srv/leases","detached":false,"ttl":30000${rest}}\n`
  );
}

await t.test('a grant', (t) => {
  const lease = { token: 8n, ttl: 30_000, expiresAt: new Date(1_700_000_030_000), previous: null };
  const end = ',"expires":"2023-11-14T22:13:50.000Z"';
  const eight = { token: '"8"' };
  const { token, ...asked } = message;
  t.equal(token, 7n);
  const grant = (result: unknown): string =>
    auditLine('acquire', { ...asked, token: null, result }, source);
  t.equal(grant(lease), expected('acquire', `${end},"previous":null`, eight));
  const at = new Date(1_700_000_000_000);
  const previous = { end: 'crashed', token: 7n, owner: 'bob', pid: 9, at, by: null };
  const told = `{"end":"crashed","token":"7","owner":"bob","pid":9,"at":"${time}","by":null}`;
  t.equal(
    grant({ ...lease, previous }),
    expected('acquire', `${end},"previous":${told}`, eight),
    'after another',
  );
  t.equal(
    grant({ ...lease, meta: { job: [1, 'é'] } }),
    expected('acquire', `${end},"previous":null,"meta":{"job":[1,"é"]}`, eight),
    'with what its holder noted',
  );
  t.equal(
    grant({ ...lease, meta: 'x'.repeat(1100) }),
    expected('acquire', `${end},"previous":null,"metaOmitted":true`, eight),
    'which may be too long',
  );
  t.end();
});

await t.test('a denial', (t) => {
  const nobody = { token: 'null' };
  const denial = (more: Partial<LeaseEvent>): string => line('deny', { token: null, ...more });
  const held = { holder: 'bob', holderId: 'b'.repeat(32), holderToken: 6n, frozen: false };
  const holder = `{"owner":"bob","id":"${'b'.repeat(32)}","token":"6"}`;
  const error = (code: string): Error => Object.assign(new Error('no'), { code });
  const cases: [text: string, more: Partial<LeaseEvent>, rest: string][] = [
    ['held', held, `"why":"held","code":null,"holder":${holder}`],
    [
      'held, as an error',
      { ...held, error: error('ERR_LOCK_HELD') },
      `"why":"held","code":"ERR_LOCK_HELD","holder":${holder}`,
    ],
    [
      'by who left no name',
      { holder: null, holderId: null, holderToken: null },
      '"why":"held","code":null,"holder":{"owner":null,"id":null,"token":null}',
    ],
    ['frozen', { holder: null, frozen: true }, '"why":"frozen","code":null,"holder":null'],
    [
      'timed out',
      { ...held, error: error('ERR_LOCK_TIMEOUT') },
      `"why":"timeout","code":"ERR_LOCK_TIMEOUT","holder":${holder}`,
    ],
    [
      'failed',
      { error: error('ERR_LOCK_SYSTEM') },
      '"why":"failed","code":"ERR_LOCK_SYSTEM","holder":null',
    ],
    [
      'aborted',
      { ...held, error: new DOMException('enough', 'AbortError') },
      `"why":"aborted","code":"AbortError","holder":${holder}`,
    ],
    [
      'aborted for any reason',
      { error: 'enough' },
      '"why":"aborted","code":"UNKNOWN","holder":null',
    ],
  ];
  for (const [text, more, rest] of cases) {
    t.equal(denial(more), expected('deny', `,${rest}`, nobody), text);
  }
  t.end();
});

await t.test('the life and the end of a lease', (t) => {
  for (const event of ['renew', 'detach', 'release', 'lost'] as const) {
    t.equal(line(event), expected(event));
  }
  const error = Object.assign(new Error('no'), { code: 'ERR_LOCK_BUSY' });
  t.equal(line('renew-failed', { error }), expected('renew-failed', ',"code":"ERR_LOCK_BUSY"'));
  const reasons = [
    ['held', 'forced'],
    ['expired', 'expired'],
    ['dead', 'dead'],
    ['corrupt', 'corrupt'],
  ] as const;
  for (const [state, why] of reasons) {
    const rest = `,"why":"${why}"`;
    t.equal(line('break', { state, by: 'bob' }), expected('break', rest, { by: 'bob' }));
  }
  t.end();
});

await t.test('a freeze', (t) => {
  const nothing = { id: null, token: null, owner: null, detached: null };
  const empty =
    `"kind":"lease","name":"build","id":null,"token":null,"owner":null,"by":"ann","pid":42,` +
    `"host":"box","location":"/srv/leases","detached":null`;
  t.equal(
    line('freeze', { ...nothing, ttl: 1000 }),
    `{"v":1,"time":"${time}","event":"freeze",${empty},"ttl":1000}\n`,
  );
  t.equal(
    line('unfreeze', { ...nothing, ttl: null }),
    `{"v":1,"time":"${time}","event":"unfreeze",${empty},"ttl":null}\n`,
  );
  t.end();
});

await t.test('a file lock', (t) => {
  const file = { kind: 'file', resource: '/srv/data', shared: false } as const;
  const head = (event: string): string =>
    `{"v":1,"time":"${time}","event":"${event}","kind":"file",`;
  const where = '"resource":"/srv/data","pid":42,"host":"box","shared":false';
  t.equal(auditLine('release', file, source), `${head('release')}${where}}\n`);
  t.equal(
    auditLine('acquire', { ...file, result: { previous: { owner: 'bob', pid: 9 } } }, source),
    `${head('acquire')}${where},"previous":{"owner":"bob","pid":9}}\n`,
  );
  const holder = { owner: 'bob', pid: 9, host: 'box' };
  const error = Object.assign(new Error('no'), { code: 'ERR_LOCK_HELD', holder });
  t.equal(
    auditLine('deny', { ...file, error }, source),
    `${head('deny')}${where},"why":"held","code":"ERR_LOCK_HELD","holder":{"owner":"bob","pid":9}}\n`,
  );
  t.equal(
    auditLine('deny', { ...file, result: null }, source),
    `${head('deny')}${where},"why":"held","code":null,"holder":null}\n`,
  );
  t.end();
});

await t.test('a line stays short and one line, whatever it is made of', (t) => {
  for (const character of ['x', '"', '\n', '\u0001', '\u2028', 'é', '🔒', '\ud800']) {
    const text = character.repeat(4096 / character.length);
    const texts = { name: text, owner: text, by: text, location: text };
    const at = new Date();
    const previous = { end: 'broken', token: 2n ** 64n, owner: text, pid: 2 ** 31, at, by: text };
    const meta = 'm'.repeat(1022);
    const result = { token: 2n ** 64n, ttl: 1e15, expiresAt: at, previous, meta };
    const code = { error: Object.assign(new Error(), { code: text }) };
    const denied = { holder: text, holderId: id, holderToken: 2n ** 64n, ...code };
    const long = { ...source, host: text };
    const grant = auditLine('acquire', { ...message, ...texts, result }, long);
    const denial = auditLine('deny', { ...message, ...texts, ...denied }, long);
    for (const made of [grant, denial]) {
      t.ok(Buffer.byteLength(made) <= longestLine, `${Buffer.byteLength(made)} bytes`);
      t.equal(made.indexOf('\n'), made.length - 1);
      const { name } = JSON.parse(made) as { name: string };
      t.ok(name.endsWith('…') && text.startsWith(name.slice(0, -1)), 'cut between characters');
    }
  }
  t.end();
});

await t.test('a short name is whole', (t) => {
  const name = `a/b:"c"\u00e9${'x'.repeat(400)}`;
  t.equal((JSON.parse(line('release', { name })) as { name: string }).name, name);
  t.end();
});
