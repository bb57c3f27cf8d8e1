/** What an audit log asks of the kernel, and that locks do not care when the kernel refuses. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

import { callsOf, hasStrace, runTraced } from '../helpers/strace.js';

if (!hasStrace) t.bailout('strace is not installed: apt-get install strace');

const library = JSON.stringify(new URL('../../lib/index.js', import.meta.url).href);

/** Seven events, then what came of them. */
const script = (folder: string): string => `
  import { auditTo, Leases } from ${library};
  const folder = ${JSON.stringify(folder)};
  const leases = new Leases({ dir: folder + '/leases' });
  const errors = [];
  const audit = auditTo(folder + '/audit.log', { onError: ({ code }) => errors.push(code) });
  const ends = [];
  for (let i = 0; i < 2; i++) {
    const lease = await leases.acquire('build', { ttl: '1m' });
    await leases.tryAcquire('build');
    await lease.renew();
    if (i === 0) ends.push(await lease.release());
  }
  audit.close();
  await new Promise(setImmediate);
  console.log(JSON.stringify({ ends, errors, written: audit.written, failed: audit.failed }));`;

await t.test('one write for each event, and the file is opened once', (t) => {
  const folder = t.testdir();
  const path = join(folder, 'audit.log');
  const calls = 'openat,write,pwrite64,writev,pwritev,fsync,fdatasync,flock,rename,close';
  const { trace, stdout } = runTraced(t, script(folder), { calls });
  const expected = { ends: ['released'], errors: [], written: 7, failed: 0 };
  t.strictSame(JSON.parse(stdout), expected);
  const seen = callsOf(trace, path).map((line) => /(\w+)\(/.exec(line)?.[1] ?? line);
  // The file is not there at the first opening.
  t.strictSame(seen, ['openat', 'openat', ...Array<string>(7).fill('write'), 'close']);
  const sizes = callsOf(trace, path)
    .filter((line) => line.includes('write('))
    .map((line) => Number(/= (\d+)$/.exec(line)?.[1]));
  const lines = readFileSync(path, 'utf8').split(/(?<=\n)/);
  t.strictSame(
    sizes,
    lines.map((line) => line.length),
    'each a whole line',
  );
  t.end();
});

await t.test('refused, once or always: locks go on, the rest is written', (t) => {
  const cases = [
    { inject: 'write:error=ENOSPC', written: 0, errors: ['ENOSPC'] },
    { inject: 'write:error=ENOSPC:when=2', written: 6, errors: ['ENOSPC'] },
    { inject: 'write:error=EIO:when=2..3', written: 5, errors: ['EIO'] },
    { inject: 'write:error=EIO:when=2+3', written: 5, errors: ['EIO', 'EIO'] },
    { inject: 'openat:error=EACCES', written: 0, errors: ['EACCES'] },
    { inject: 'openat:error=EMFILE:when=2', written: 6, errors: ['EMFILE'] },
    { inject: 'close:error=EIO', written: 7, errors: [] },
  ];
  for (const { inject, written, errors } of cases) {
    const folder = join(t.testdir({ [inject]: {} }), inject);
    const path = join(folder, 'audit.log');
    const calls = inject.slice(0, inject.indexOf(':'));
    const { stdout } = runTraced(t, script(folder), { calls, inject, path });
    const told: unknown = stdout === '' ? 'it ended' : JSON.parse(stdout);
    t.strictSame(told, { ends: ['released'], errors, written, failed: 7 - written }, inject);
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    const lines = text === '' ? [] : text.trimEnd().split('\n');
    t.equal(lines.filter((line) => JSON.parse(line) !== null).length, written);
  }
  t.end();
});
