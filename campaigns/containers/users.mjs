// Three users with three umasks, in a folder for everybody and in one that is sticky, as /tmp is. The
// sysctls that protect sticky folders (proc_sys_fs(5)) are set while this runs, if they can be.
import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { LeaseProcess } from '../lease-process.mjs';

const users = [0, 65534, 65533];
const umasks = ['000', '022', '077'];
const options = { attached: { ttl: '1h' }, detached: { detached: true, ttl: '1h' } };

/** Sets a sysctl; what it is then, and what puts it back. */
function protect(name, level) {
  const path = `/proc/sys/fs/protected_${name}`;
  const before = readFileSync(path, 'utf8');
  try {
    writeFileSync(path, level);
  } catch (error) {
    return { is: `${before.trim()} (cannot be set: ${error.code})`, restore: () => undefined };
  }
  return { is: level, restore: () => writeFileSync(path, before) };
}

const as = (user, umask) => [
  ...['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups'],
  ...['sh', '-c', `umask ${umask}; exec "$@"`, 'sh'],
];

/** It is refused as it should be: by call, error and path. */
function isRefusal({ name, code, path, cause }, dir) {
  const known = code === 'ERR_LOCK_SYSTEM' && /^(EACCES|EPERM)$/.test(cause?.code);
  return name === 'LockError' && (known || code === 'ERR_LOCK_NOT_REGULAR') && path.startsWith(dir);
}

export async function tryUsers({ root, program, folder, report }) {
  const regular = protect('regular', '2');
  const symlinks = protect('symlinks', '1');
  try {
    console.log(`  protected_regular ${regular.is}, protected_symlinks ${symlinks.is}`);
    for (const [what, mode] of Object.entries({ open: 0o777, sticky: 0o1777 })) {
      for (const umask of umasks) {
        const dir = join(folder, `${what}-${umask}`);
        mkdirSync(dir);
        chmodSync(dir, mode);
        await tryFolder({ root, program, dir, umask, sticky: what === 'sticky', report });
      }
    }
  } finally {
    regular.restore();
    symlinks.restore();
  }
}

async function tryFolder({ root, program, dir, umask, sticky, report }) {
  const leases = (mode) => ({ HOLDFAST_FILE_MODE: mode });
  const start = (user, mode) =>
    new LeaseProcess(root, dir, leases(mode), { program, prefix: as(user, umask) });
  const crew = users.map((user) => ({ user, shared: start(user, '666'), own: start(user, '') }));
  const at = `${sticky ? 'sticky' : 'open'}, umask ${umask}`;
  const told = (promise) => promise.catch((error) => error);
  const check = (holds, what, got) =>
    report(holds, `${at}: ${what}${holds ? '' : `: ${JSON.stringify(got)}`}`);
  try {
    for (const one of crew) {
      const others = crew.filter((other) => other !== one);
      const name = `of-${one.user}`;
      const resource = join(dir, name);
      // For all: with a mode that says so, whatever the umask.
      for (const [kind, how] of Object.entries(options)) {
        const lease = await told(one.shared.call('acquire', name, how));
        check(lease.key !== undefined, `user ${one.user} is granted a lease, ${kind}`, lease);
        for (const other of others) {
          const denied = await told(other.shared.call('tryAcquire', name, how));
          check(denied === null, `user ${other.user} is denied`, denied);
        }
        check((await told(one.shared.call('release', lease.key))) === 'released', 'released');
        for (const other of others) {
          const next = await told(other.shared.call('tryAcquire', name, how));
          check(BigInt(next.token ?? 0) > BigInt(lease.token), `then user ${other.user}`, next);
          if (next.key !== undefined) await other.shared.call('release', next.key);
        }
      }
      const lock = await told(one.shared.call('tryLock', resource, { fileMode: 0o666 }));
      check(lock.key !== undefined, `user ${one.user} is granted a file lock`, lock);
      for (const other of others) {
        const denied = await told(other.shared.call('tryLock', resource, { fileMode: 0o666 }));
        check(denied === null, `user ${other.user} is denied the file lock`, denied);
      }
      if (lock.key !== undefined) await one.shared.call('release', lock.key);
      // For one user, as is the default.
      const mine = await told(one.own.call('acquire', `${name}-alone`));
      check(mine.key !== undefined, `user ${one.user} is granted a lease of its own`, mine);
      for (const other of others.filter(({ user }) => user !== 0)) {
        const refused = await told(other.own.call('tryAcquire', `${name}-alone`));
        check(isRefusal(refused ?? {}, dir), `user ${other.user} is refused`, refused);
      }
    }
    // Somebody dies. In a sticky folder nobody but its owner removes what is left, and is told so.
    const [, victim, heir] = crew;
    await victim.shared.call('acquire', 'of-the-dead');
    await victim.shared.kill();
    const inherited = await told(heir.shared.call('tryAcquire', 'of-the-dead'));
    const fits = sticky ? isRefusal(inherited ?? {}, dir) : inherited?.key !== undefined;
    check(fits, 'the lease of a user who died', inherited);
    await tryTraps({ dir, check, told, victim: heir.shared });
  } finally {
    for (const { shared, own } of crew) {
      await shared.kill();
      await own.kill();
    }
  }
}

/** Somebody else has put a link where a file must be. */
async function tryTraps({ dir, check, told, victim }) {
  const target = join(dir, 'target');
  writeFileSync(target, 'not to be touched');
  chmodSync(target, 0o666);
  for (const suffix of ['guard', 'lock', 'freeze']) {
    const path = join(dir, `trap-${suffix}.${suffix}`);
    symlinkSync(target, path);
    const refused = await told(victim.call('tryAcquire', `trap-${suffix}`));
    check(isRefusal(refused ?? {}, dir), `a link in place of a ${suffix}`, refused);
    rmSync(path);
  }
  symlinkSync(target, join(dir, 'trapped.lock'));
  const refused = await told(victim.call('tryLock', join(dir, 'trapped')));
  check(isRefusal(refused ?? {}, dir), 'a link in place of a sidecar', refused);
  check(readFileSync(target, 'utf8') === 'not to be touched', 'what it points to is untouched');
}
