/**
 * Whether a filesystem may be trusted with a lock. Pure: the facts come from the addon.
 *
 * A kernel lock on a local filesystem excludes every process of the host. On a network filesystem
 * it may exclude the processes of one machine only, or nobody, and says nothing of it: an NFS mount
 * with `nolock`, virtiofs and 9p all let two holders in. So remote and unknown shared filesystems
 * are refused unless the caller takes the responsibility with `network: 'allow'`.
 */

/** What the system says about the filesystem that holds a path. */
export interface FilesystemInfo {
  /** "ext4", "nfs4", "fuse.sshfs", "apfs", "NTFS"; empty when unknown. */
  type: string;
  /** What is mounted: "/dev/vda", "server:/export"; empty when unknown. */
  source: string;
  /** `f_type` of statfs(2) on Linux, 0 elsewhere. */
  magic: number;
  /** The system itself says that it is not local. */
  remote: boolean;
}

/** Types, as the mount table names them, whose locks are not those of this host's kernel alone. */
const remoteTypes =
  /^(nfs\d?|cifs|smb\d?|smbfs|9p|afs|afpfs|webdav|ncpfs|coda|ceph|lustre|gfs2?|gpfs|ocfs2|orangefs|beegfs|glusterfs|virtiofs|vboxsf|prl_fs|vmhgfs|drvfs|acfs|davfs2?)$/i;

/** FUSE filesystems that store their files on this host. Any other may be a network in disguise. */
const localFuse =
  /^(fuseblk|fuse\.(fuse-overlayfs|ntfs-3g|ntfs|exfat|mergerfs|bindfs|gocryptfs|encfs|cryfs|squashfuse|lxcfs|unionfs|unionfs-fuse))$/i;

/** statfs(2) magic numbers of the same, for where the mount table cannot be read. */
const remoteMagics = new Set([
  0x6969, // nfs
  0xff534d42, // cifs
  0xfe534d42, // smb2
  0x517b, // smb
  0x01021997, // 9p
  0x5346414f, // afs
  0x6b414653, // kafs
  0x73757245, // coda
  0x00c36400, // ceph
  0x0bd00bd0, // lustre
  0x01161970, // gfs2
  0x47504653, // gpfs
  0x7461636f, // ocfs2
  0x19830326, // beegfs
  0x20030528, // orangefs
  0xaad7aaea, // panfs
  0xbeefdead, // snfs
  0x786f4256, // vboxsf
  0x7c7c6673, // prl_fs
  0xbacbacbc, // vmhgfs
]);
const fuseMagic = 0x65735546;

/** True when a lock there holds on this host at least, false when that cannot be promised. */
export function isLocal(info: FilesystemInfo): boolean {
  if (info.remote || remoteMagics.has(info.magic) || remoteTypes.test(info.type)) return false;
  if (info.magic === fuseMagic || /^fuse/i.test(info.type)) return localFuse.test(info.type);
  // A type that nobody listed, mounted from "server:/export" or "//server/share".
  return !/^(\/\/|\\\\|[^/]+:\/)/.test(info.source);
}
