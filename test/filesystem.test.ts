/**
 * Which filesystems are trusted with a lock, and what the system says about those of this host.
 *
 * A wrong "local" is silent data loss (two holders), a wrong "remote" is only an error with a
 * remedy. So what cannot be told is refused wherever it smells of a network.
 */
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import t from 'tap';

import { isLocal, type FilesystemInfo } from '../lib/filesystem.js';
import { tryLock } from '../lib/index.js';
import { addon, isFailure } from '../lib/native.js';

const fuse = 0x65735546;

function info(some: Partial<FilesystemInfo>): FilesystemInfo {
  return { type: '', source: '', magic: 0, remote: false, ...some };
}

const local: Record<string, Partial<FilesystemInfo>> = {
  ext4: { type: 'ext4', source: '/dev/vda', magic: 0xef53 },
  xfs: { type: 'xfs', source: '/dev/sda1', magic: 0x58465342 },
  btrfs: { type: 'btrfs', source: '/dev/nvme0n1p2', magic: 0x9123683e },
  zfs: { type: 'zfs', source: 'tank/home', magic: 0x2fc12fc1 },
  tmpfs: { type: 'tmpfs', source: 'tmpfs', magic: 0x01021994 },
  overlay: { type: 'overlay', source: 'overlay', magic: 0x794c7630 },
  vfat: { type: 'vfat', source: '/dev/sdb1', magic: 0x4d44 },
  exfat: { type: 'exfat', source: '/dev/sdb1', magic: 0x2011bab0 },
  ntfs3: { type: 'ntfs3', source: '/dev/sdb1', magic: 0x7366746e },
  'apfs (macOS)': { type: 'apfs', source: '/dev/disk3s1' },
  'NTFS (Windows)': { type: 'NTFS', source: 'C:\\' },
  'ReFS (Windows)': { type: 'ReFS', source: 'D:\\' },
  'fuseblk (ntfs-3g on a disk)': { type: 'fuseblk', source: '/dev/sdb1', magic: fuse },
  'fuse-overlayfs (rootless containers)': {
    type: 'fuse.fuse-overlayfs',
    source: 'fuse-overlayfs',
    magic: fuse,
  },
  'a label with a colon': { type: 'ext4', source: 'LABEL:root' },
  'nothing known (mountinfo unreadable), magic of ext4': { magic: 0xef53 },
};

const refused: Record<string, Partial<FilesystemInfo>> = {
  nfs: { type: 'nfs', source: 'server:/export', magic: 0x6969 },
  nfs4: { type: 'nfs4', source: 'server:/export', magic: 0x6969 },
  cifs: { type: 'cifs', source: '//server/share', magic: 0xff534d42 },
  smb3: { type: 'smb3', source: '//server/share', magic: 0xfe534d42 },
  'smbfs (macOS)': { type: 'smbfs', source: '//alice@server/share' },
  '9p': { type: '9p', source: 'hostshare', magic: 0x01021997 },
  'drvfs (WSL)': { type: '9p', source: 'C:\\', magic: 0x01021997 },
  virtiofs: { type: 'virtiofs', source: 'myfs', magic: fuse },
  vboxsf: { type: 'vboxsf', source: 'share', magic: 0x786f4256 },
  ceph: { type: 'ceph', source: '10.0.0.1:6789:/', magic: 0x00c36400 },
  lustre: { type: 'lustre', source: '10.0.0.1@tcp:/scratch', magic: 0x0bd00bd0 },
  'fuse.sshfs': { type: 'fuse.sshfs', source: 'alice@server:/home', magic: fuse },
  'fuse.s3fs': { type: 'fuse.s3fs', source: 's3fs', magic: fuse },
  'a FUSE filesystem nobody knows': { type: 'fuse.mystery', source: 'mystery', magic: fuse },
  'FUSE without a subtype': { type: 'fuse', source: '/dev/fuse', magic: fuse },
  'a name that only begins like a local one': { type: 'fuse.ntfs-3g-over-ssh', magic: fuse },
  'a capital in the type': { type: 'NFS4' },
  'a type alone': { type: 'nfs4' },
  another: { type: 'cifs' },
  'and another': { type: '9p' },
  'virtiofs, whatever its magic': { type: 'virtiofs', source: 'myfs' },
  'the system says so, of any type': { type: 'NTFS', source: 'Z:\\', remote: true },
  'an unknown type from server:/x': { type: 'newfs', source: 'server:/x' },
  'an unknown type from [IPv6]:/x': { type: 'newfs', source: '[fe80::1]:/x' },
  'an unknown type from //server/x': { type: 'newfs', source: '//server/x' },
  'an unknown type from \\\\server\\x': { type: 'newfs', source: '\\\\server\\x' },
  'no type, magic of nfs': { magic: 0x6969 },
  'no type, magic of cifs': { magic: 0xff534d42 },
  'no type, magic of 9p': { magic: 0x01021997 },
  'no type, magic of FUSE': { magic: fuse },
};

await t.test('trusted', async (t) => {
  for (const [name, facts] of Object.entries(local)) t.equal(isLocal(info(facts)), true, name);
});

await t.test('refused', async (t) => {
  for (const [name, facts] of Object.entries(refused)) t.equal(isLocal(info(facts)), false, name);
});

await t.test('every magic number is a number that statfs(2) can return', async (t) => {
  // f_type is signed and 32 bits wide on some systems; the addon must hand it over unsigned, or
  // 0xff534d42 of cifs would never be recognised.
  const facts = addon.fsInfo('/');
  if (isFailure(facts)) throw new Error('fsInfo("/") failed');
  t.ok(facts.magic >= 0 && Number.isInteger(facts.magic), String(facts.magic));
});

await t.test('what the system says', { skip: process.platform !== 'linux' }, async (t) => {
  const facts = addon.fsInfo('/tmp');
  if (isFailure(facts)) throw new Error('fsInfo("/tmp") failed');
  t.not(facts.type, '');
  t.not(facts.magic, 0);
  t.equal(facts.remote, false);
  const types = readFileSync('/proc/self/mountinfo', 'utf8').matchAll(/ - (\S+) (\S+)/g);
  t.ok(
    [...types].some(([, type, source]) => type === facts.type && source === facts.source),
    `${facts.type} of ${facts.source} is in the mount table`,
  );
  t.match(addon.fsInfo('/proc'), { type: 'proc', magic: 0x9fa0 });
  t.match(addon.fsInfo('/proc/self/status'), { type: 'proc' }, 'a file as well as a folder');
  const missing = join(t.testdir(), 'missing');
  t.strictSame(addon.fsInfo(missing), { errno: constants.errno.ENOENT, syscall: 'statfs' });
});

await t.test('the folder of the tests is local, and so can be locked', async (t) => {
  const folder = t.testdir();
  const facts = addon.fsInfo(folder);
  if (isFailure(facts)) throw new Error('fsInfo of a folder that exists failed');
  t.equal(isLocal(facts), true, JSON.stringify(facts));
  t.ok(tryLock(join(folder, 'data')));
});
