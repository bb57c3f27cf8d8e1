# Sourced in the guest: the modules that the campaign's mounts need, and an NFS server on the loopback
# device, with its files on a disk in memory.
for module in loop ext4 vfat exfat nls_cp437 nls_ascii nls_utf8 nfsd nfsv3 nfsv4; do
  modprobe "$module" || echo "the guest has no module $module"
done
ip link set lo up 2> /dev/null || busybox ifconfig lo 127.0.0.1 up
mkdir -p /mnt/served /run/rpc_pipefs /var/lib/nfs/{rpc_pipefs,v4recovery,nfsdcld,sm,sm.bak}
touch /var/lib/nfs/{etab,rmtab}
truncate -s 320M /mnt/disk
mkfs.ext4 -q -F /mnt/disk
mount -o loop /mnt/disk /mnt/served
chmod 1777 /mnt/served
mount -t nfsd nfsd /proc/fs/nfsd
mount -t rpc_pipefs sunrpc /var/lib/nfs/rpc_pipefs
mount -t rpc_pipefs sunrpc /run/rpc_pipefs
echo '/mnt/served 127.0.0.1(rw,no_root_squash,insecure,no_subtree_check,fsid=0)' > /etc/exports
rpcbind
nfsdcld
rpc.statd
exportfs -ra
rpc.mountd
# Nobody is granted a lock in the first ten seconds: those who had one may claim it again (-G, -L).
rpc.nfsd -G 10 -L 10 4
sleep 12
