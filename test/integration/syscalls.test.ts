/** What one lock asks of the kernel, in order; and that every descriptor is closed again. */
import { join } from 'node:path';
import t from 'tap';

import { encodeRecord } from '../../lib/record.js';
import { full } from '../helpers/counting.js';
import { someRecord } from '../helpers/records.js';
import { callsOf, hasStrace, runTraced } from '../helpers/strace.js';

const library = JSON.stringify(new URL('../../lib/index.js', import.meta.url).href);
const calls = 'openat,flock,fstat,newfstatat,lstat,stat,readlink,pread64,pwrite64,close';
/** The system call, and of flock also what it asks for. */
const brief = (line: string): string =>
  /(flock\(.*, [A-Z_|]+)\)/.exec(line)?.[1]?.replace(/\(.*, /, ' ') ??
  /(\w+)\(/.exec(line)?.[1] ??
  line;
const statLike = (name: string): string => name.replace(/^(newfstatat|fstat|lstat|stat)$/, 'stat');

if (!hasStrace) t.bailout('strace is not installed: apt-get install strace');

const run = (t: Parameters<typeof runTraced>[0], path: string, script: string): string[] =>
  callsOf(
    runTraced(
      t,
      `import { tryLock } from ${library}; const path = ${JSON.stringify(path)}; ${script}`,
      {
        calls,
      },
    ).trace,
    path,
  );

await t.test('acquire and release, without a sidecar', (t) => {
  const path = join(t.testdir({ data: '' }), 'data');
  const lines = run(
    t,
    path,
    `tryLock(path, { sidecar: false }).release(); tryLock(path, { sidecar: false }).release();`,
  );
  // The first one also asks what filesystem this is; the second one is what every other costs.
  const second = lines.slice(-6).map(brief).map(statLike);
  t.strictSame(second, [
    'openat',
    'stat',
    'flock LOCK_EX|LOCK_NB',
    'stat',
    'flock LOCK_UN',
    'close',
  ]);
  t.match(lines.at(-6), /O_RDONLY\|O_NOCTTY\|O_NONBLOCK\|O_CLOEXEC/);
  t.end();
});

await t.test('acquire and release, with a sidecar that exists', (t) => {
  const resource = join(t.testdir({ data: '' }), 'data');
  const lines = run(
    t,
    `${resource}.lock`,
    `const data = path.slice(0, -5); tryLock(data).release(); tryLock(data).release();`,
  );
  const second = lines.slice(-10).map(brief).map(statLike);
  t.strictSame(second, [
    'openat',
    'stat',
    'flock LOCK_EX|LOCK_NB',
    'stat',
    'pread64',
    'pwrite64',
    'pread64',
    'pwrite64',
    'flock LOCK_UN',
    'close',
  ]);
  t.match(lines.at(-10), /O_RDWR\|O_NOCTTY\|O_NONBLOCK\|O_NOFOLLOW\|O_CLOEXEC/);
  t.notOk(
    lines.some((line) => line.includes('fsync')),
    'no sync',
  );
  t.end();
});

await t.test('an attempt that fails closes what it opened', (t) => {
  const path = join(t.testdir({ data: '' }), 'data');
  const options = '{ sidecar: false }';
  const busy = run(
    t,
    path,
    `const held = tryLock(path, ${options}); tryLock(path, ${options}); held.release();`,
  );
  const opened = busy.filter((line) => line.includes('openat')).length;
  t.equal(busy.filter((line) => line.includes('close(')).length, opened);
  t.strictSame(busy.map(brief).map(statLike).slice(-6), [
    'openat',
    'stat',
    'flock LOCK_EX|LOCK_NB',
    'close',
    'flock LOCK_UN',
    'close',
  ]);
  t.end();
});

await t.test(
  'every call on the file fails once, at every place: a typed error, no descriptor left',
  (t) => {
    const path = join(t.testdir({ data: '' }), 'data');
    const script = `
    import { readdirSync } from 'node:fs';
    import { tryLock } from ${library};
    const count = () => readdirSync('/proc/self/fd').length;
    count();
    const before = count();
    const lines = [];
    for (let i = 0; i < 3; i++) {
      try {
        const held = tryLock(${JSON.stringify(path)}, { sidecar: false });
        lines.push(held === null ? 'busy' : 'granted');
        held?.release();
      } catch (e) { lines.push([e.code, e.cause?.code, e.cause?.syscall].join(' ')); }
    }
    lines.push(count() - before);
    // Not before: Node 26 opens /dev/null when it writes to the console for the first time.
    console.log(lines.join('\\n'));`;
    const kinds = [
      { call: 'openat', code: 'ENFILE', as: 'open' },
      { call: 'newfstatat', code: 'EIO', as: '(fstat|stat)' },
      { call: 'flock', code: 'ENOLCK', as: 'flock' },
      { call: 'flock', code: 'EIO', as: 'flock' },
    ];
    for (const { call, code, as } of kinds) {
      let failures = 0;
      for (const nth of full ? [1, 2, 3, 4, 5, 6] : [1, 2, 5]) {
        const inject = `${call}:error=${code}:when=${nth}`;
        const { stdout } = runTraced(t, script, { calls: call, inject, path });
        const lines = stdout.trimEnd().split('\n');
        t.equal(lines.pop(), '0', `${inject}: no descriptor is left`);
        const failed = lines.filter((line) => line !== 'granted');
        failures += failed.length;
        for (const line of failed) t.match(line, new RegExp(`^ERR_LOCK_SYSTEM ${code} ${as}$`));
        t.equal(lines.length, 3);
      }
      t.ok(failures >= 2, `${call} did fail: ${failures}`);
    }
    t.end();
  },
);

await t.test('EINTR is retried', (t) => {
  const path = join(t.testdir({ data: '' }), 'data');
  const script = `import { tryLock } from ${library};
    const held = tryLock(${JSON.stringify(path)}, { sidecar: false });
    console.log(held !== null);`;
  for (const call of ['openat', 'flock']) {
    const inject = `${call}:error=EINTR:when=1`;
    t.equal(runTraced(t, script, { calls: call, inject, path }).stdout, 'true\n', call);
  }
  t.end();
});

await t.test('a mode that cannot be set: an error, and the sidecar stays', (t) => {
  const resource = join(t.testdir({ data: '' }), 'data');
  const script = `import { tryLock } from ${library};
    process.umask(0o077);
    for (let i = 0; i < 2; i++) {
      try { console.log(tryLock(${JSON.stringify(resource)}, { fileMode: 0o666 }) !== null); }
      catch (e) { console.log(e.code, e.cause.code, e.cause.syscall); }
    }`;
  const { stdout, trace } = runTraced(t, script, {
    calls: 'fchmod,unlink,unlinkat',
    inject: 'fchmod:error=EPERM:when=1',
  });
  t.equal(stdout, 'ERR_LOCK_SYSTEM EPERM fchmod\ntrue\n');
  t.notOk(
    trace.some((line) => line.includes('unlink')),
    'others may have locked it already',
  );
  t.end();
});

await t.test('a glance at a lease tries a shared lock, and none of an empty file', (t) => {
  const dir = t.testdir({ empty: '', record: encodeRecord(someRecord).toString('latin1') });
  const native = JSON.stringify(new URL('../../lib/native.js', import.meta.url).href);
  const locks = (name: string): string[] => {
    const path = join(dir, name);
    const script = `import { addon } from ${native}; addon.glance(${JSON.stringify(path)});`;
    const { trace } = runTraced(t, script, { calls: 'openat,flock,close' });
    return callsOf(trace, path).map(brief);
  };
  // An exclusive one would be in the way of a look, and any of who locks what it has just created.
  t.strictSame(locks('record'), ['openat', 'flock LOCK_SH|LOCK_NB', 'flock LOCK_UN', 'close']);
  t.strictSame(locks('empty'), ['openat', 'close']);
  t.end();
});

await t.test('a wake-up that is lost is sent again', (t) => {
  const resource = join(t.testdir({ data: '' }), 'data');
  // Where a signal meets the waiter between its look at the flag and its call, nothing comes of it.
  // Here the first one is not even sent.
  const script = `import { lock, tryLock } from ${library};
    import { readFileSync, statSync } from 'node:fs';
    import { setTimeout } from 'node:timers/promises';
    const held = tryLock(${JSON.stringify(resource)});
    const inode = ':' + statSync(held.lockPath).ino + ' ';
    const blocked = async (wanted) => {
      const lines = () => readFileSync('/proc/locks', 'utf8').split('\\n');
      for (let i = 0; i < 2000; i++) {
        if (lines().some((line) => line.includes('->') && line.includes(inode)) === wanted) return true;
        await setTimeout(1);
      }
      return false;
    };
    const stop = new AbortController();
    const wait = lock(${JSON.stringify(resource)}, { signal: stop.signal }).catch(() => 'gone');
    console.log(await blocked(true));
    stop.abort();
    console.log(await wait, await blocked(false));`;
  const { stdout, trace } = runTraced(t, script, {
    calls: 'tgkill',
    inject: 'tgkill:retval=0:when=1',
  });
  t.equal(stdout, 'true\ngone true\n');
  t.match(trace[0], /tgkill\(.*\(INJECTED\)/, 'the first one was lost');
  t.end();
});
