// Processes in pid, user, mount and time namespaces of their own, as containers are, and in all of them
// at once: each in turn holds, all others are denied; it is killed, and the next one has it at once.
import { join } from 'node:path';

import { LeaseProcess } from '../lease-process.mjs';

/** How to get there, by unshare(1). */
const own = {
  host: [],
  pid: ['--pid', '--mount-proc'],
  user: ['--user', '--map-root-user'],
  mount: ['--mount'],
  time: ['--time', '--boottime', '90000', '--monotonic', '5000'],
};
own.all = [...own.pid, ...own.user, ...own.mount, ...own.time];

const prefix = (options) =>
  options.length === 0 ? [] : ['unshare', '--fork', '--kill-child', ...options];

export async function tryNamespaces({ root, folder, report }) {
  const dir = join(folder, 'namespaces');
  const start = (options) => new LeaseProcess(root, dir, {}, { prefix: prefix(options) });
  const crew = Object.entries(own).map(([name, options]) => ({ name, member: start(options) }));
  const told = (promise) => promise.catch((error) => error);
  const resource = join(folder, 'resource');
  try {
    for (const { name, member } of crew) {
      const pid = await told(member.ready);
      report(Number.isInteger(pid), `a process with namespaces: ${name} (pid ${pid})`);
    }
    let last = 0n;
    for (const [number, one] of crew.entries()) {
      const others = crew.filter((other) => other !== one);
      const detached = await told(
        one.member.call('tryAcquire', 'detached', { detached: true, ttl: '1h' }),
      );
      report(detached?.key !== undefined, `${one.name}: a detached lease`);
      const lease = await told(one.member.call('tryAcquire', 'it', { ttl: '1h' }));
      report(BigInt(lease?.token ?? 0) > last, `${one.name}: a lease with a higher token`);
      last = BigInt(lease?.token ?? 0);
      const lock = await told(one.member.call('tryLock', resource));
      report(lock?.key !== undefined, `${one.name}: a file lock`);
      for (const other of others) {
        const answers = [
          await told(other.member.call('tryAcquire', 'it')),
          await told(other.member.call('tryAcquire', 'detached')),
          await told(other.member.call('tryLock', resource)),
        ];
        const denied = answers.every((each) => each === null);
        report(
          denied,
          `${other.name} is denied what ${one.name} holds ${denied ? '' : JSON.stringify(answers)}`,
        );
        const info = await told(other.member.call('inspect', 'detached'));
        const left = info?.leftMs ?? 0;
        report(
          left > 3_000_000 && left <= 3_600_000,
          `${other.name} sees ${left} ms left of an hour`,
        );
      }
      await told(one.member.call('release', detached?.key));
      await one.member.kill();
      const next = crew[(number + 1) % crew.length].member;
      one.member = start(own[one.name]);
      await one.member.ready;
      const heir = await told(next.call('acquire', 'it', { timeout: 20_000 }));
      report(
        BigInt(heir?.token ?? 0) > last && heir.end === 'crashed',
        `${one.name} died: the next one has it (${heir?.end})`,
      );
      last = BigInt(heir?.token ?? 0);
      await told(next.call('release', heir?.key));
      const after = await told(next.call('lock', resource, { timeout: 20_000 }));
      report(after?.key !== undefined, `${one.name} died: the next one has the file lock`);
      await told(next.call('release', after?.key));
    }
  } finally {
    for (const { member } of crew) await member.kill();
  }
}
