/** What the figures were measured on. They mean nothing without it. */
import { readFileSync, statSync, statfsSync } from 'node:fs';
import { arch, availableParallelism, cpus, loadavg, platform, release } from 'node:os';

/** The machine, and the filesystem that `folder` lies on. */
export function describeMachine(folder) {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    kernel: `${platform()} ${release()} ${arch()}`,
    filesystem: `${filesystemOf(folder)} (${folder})`,
    load: Number(loadavg()[0].toFixed(2)),
  };
}

export function describeVersions(compiler) {
  const read = (path) => JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'));
  return {
    holdfast: read('../../package.json').version,
    node: process.versions.node,
    v8: process.versions.v8,
    ...(compiler === undefined ? {} : { compiler }),
  };
}

/** Its type by the mount table, proc_pid_mountinfo(5); elsewhere the number that statfs(2) gives. */
function filesystemOf(folder) {
  const { dev } = statSync(folder);
  const major = (dev >> 8) & 0xfff;
  const minor = (dev & 0xff) | ((dev >> 12) & 0xfff00);
  try {
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
    const mount = mounts.find((line) => line.split(' ')[2] === `${major}:${minor}`);
    if (mount !== undefined) return mount.split(' - ')[1].split(' ')[0];
  } catch {
    // not Linux
  }
  return `type 0x${statfsSync(folder).type.toString(16)}`;
}
