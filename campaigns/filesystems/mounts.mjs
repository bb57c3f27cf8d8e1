// The filesystems, each mounted for itself in the mount namespace of the campaign.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** It cannot be had here. */
export class Missing extends Error {}

const run = (program, ...args) => {
  const { error, status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (error !== undefined) throw new Missing(`${program} is not installed`);
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`);
};

const within = (folder, ...names) =>
  names.map((name) => {
    const path = join(folder, name);
    mkdirSync(path);
    return path;
  });

/** Of an image on a loop device. */
const disk = (type, ...mkfs) => ({
  mount(folder) {
    const known = readFileSync('/proc/filesystems', 'utf8').split(/\s+/).includes(type);
    if (!known && spawnSync('modprobe', [type]).status !== 0) {
      throw new Missing(`this kernel has no ${type}`);
    }
    const image = join(folder, 'image');
    run('truncate', '-s', '320M', image);
    run(...mkfs, image);
    const [place] = within(folder, 'mount');
    run('mount', '-t', type, '-o', 'loop', image, place);
    return [place];
  },
});

/** Of layers in memory, which an overlay accepts on every machine. */
function overlay(folder, name, lower) {
  const [upper, work, place] = within(folder, `upper-${name}`, `work-${name}`, name);
  const layers = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
  run('mount', '-t', 'overlay', 'overlay', '-o', layers, place);
  return { place, upper };
}
function layers(folder) {
  const [memory] = within(folder, 'memory');
  run('mount', '-t', 'tmpfs', 'tmpfs', memory);
  const [lower] = within(memory, 'lower');
  return { memory, lower };
}

/**
 * sftp-server beneath sshfs, without a network between them; and without us, who could not pass on what
 * we wait for ourselves.
 */
async function sshfs(folder) {
  const [remote, place] = within(folder, 'remote', 'mount');
  let missing;
  const watch = (child, what) => {
    child.on('error', () => (missing ??= `${what} is not installed`));
    child.on('exit', () => (missing ??= `${what} has ended`));
    return child;
  };
  const stdio = ['pipe', 'pipe', 'ignore'];
  const server = watch(spawn('/usr/lib/openssh/sftp-server', { stdio }), 'sftp-server');
  await once(server, 'spawn').catch(() => undefined);
  if (missing !== undefined) throw new Missing(missing);
  const through = [server.stdout, server.stdin, 'ignore'];
  watch(spawn('sshfs', [`:${remote}`, place, '-f', '-o', 'passive'], { stdio: through }), 'sshfs');
  const mounted = () => readFileSync('/proc/self/mounts', 'utf8').includes(` ${place} fuse.sshfs `);
  while (!mounted() && missing === undefined) await sleep(20);
  if (missing === undefined) return [place];
  server.kill();
  throw new Missing(missing);
}

/** Whose kernel and servers these take (guest.sh). */
function inGuest() {
  if (process.env.HOLDFAST_GUEST === '1') return;
  throw new Missing('it takes a guest: npm run campaign:filesystems:guest');
}

/** What the guest serves to itself, mounted twice as by two machines: no cache in common. */
const nfs = (served, how) => ({
  expected: 'refuses',
  mount(folder) {
    inGuest();
    const places = within(folder, 'one', 'two');
    for (const place of places) {
      run('mount', '-t', 'nfs', '-o', `${how},nosharecache`, `127.0.0.1:${served}`, place);
    }
    return places;
  },
});

/**
 * `mount` returns the places by which processes come to the same files. `expected` is what the
 * library does there.
 */
export const filesystems = {
  tmpfs: {
    expected: 'excludes',
    mount(folder) {
      const [place] = within(folder, 'mount');
      run('mount', '-t', 'tmpfs', 'tmpfs', place);
      return [place];
    },
  },
  ext4: { expected: 'excludes', ...disk('ext4', 'mkfs.ext4', '-q', '-F') },
  xfs: { expected: 'excludes', ...disk('xfs', 'mkfs.xfs', '-q', '-f') },
  btrfs: { expected: 'excludes', ...disk('btrfs', 'mkfs.btrfs', '-q', '-f') },
  vfat: { expected: 'excludes', ...disk('vfat', 'mkfs.vfat') },
  exfat: { expected: 'excludes', ...disk('exfat', 'mkfs.exfat') },
  overlay: {
    expected: 'excludes',
    mount(folder) {
      const { memory, lower } = layers(folder);
      return [overlay(memory, 'one', lower).place];
    },
  },
  'overlay, by two paths': {
    expected: 'excludes',
    mount(folder) {
      const { memory, lower } = layers(folder);
      const { place } = overlay(memory, 'one', lower);
      const [bound] = within(folder, 'bound');
      run('mount', '--bind', place, bound);
      return [place, bound];
    },
  },
  'two overlays of one lower folder': {
    expected: 'cannot be detected',
    mount(folder) {
      const { memory, lower } = layers(folder);
      return ['one', 'two'].map((name) => overlay(memory, name, lower).place);
    },
  },
  'an overlay and its upper folder': {
    expected: 'cannot be detected',
    mount(folder) {
      const { memory, lower } = layers(folder);
      const { place, upper } = overlay(memory, 'one', lower);
      return [place, upper];
    },
  },
  'fuse.sshfs': { expected: 'refuses', mount: sshfs },
  '9p': {
    expected: 'refuses',
    mount(folder) {
      inGuest();
      const places = within(folder, 'one', 'two');
      const how = 'trans=virtio,version=9p2000.L';
      run('mount', '-t', '9p', '-o', how, 'shared', places[0]);
      run('mount', '-t', '9p', '-o', how, 'again', places[1]);
      return places;
    },
  },
  'NFS 4.2': nfs('/', 'vers=4.2'),
  'NFS 3': nfs('/mnt/served', 'vers=3'),
  'NFS 3, local locks': nfs('/mnt/served', 'vers=3,nolock,local_lock=all'),
};

export function unmount(folder) {
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  const ours = mounts
    .map((line) => line.split(' ')[1])
    .filter((at) => at?.startsWith(`${folder}/`));
  for (const place of ours.reverse()) execFileSync('umount', ['-l', place]);
}
