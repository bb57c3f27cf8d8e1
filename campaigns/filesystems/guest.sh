#!/usr/bin/env bash
# The campaign on filesystems that a host may lack (vfat, exfat, 9p, NFS), in a kernel of Debian's that
# runs under qemu without KVM, and so slowly.
#
# The guest sees the root of this host, read-only by 9p, and keeps what it writes in memory; so what is
# run there is this very folder. The kernel and the NFS server come from Debian's packages, which are
# unpacked in the cache and not installed.
#
# Usage: guest.sh [OPTIONS OF run.mjs]; GUEST_MINUTES is when the guest is ended, whatever it does.
if [ "${1-}" = --help ]; then
  sed -n '2,/^if/s/^# \{0,1\}//p' "$0"
  exit
fi
. "$(dirname "$0")/../../scripts/common.sh"

guest="$CACHE/guest"
system="$guest/system"
shared="$guest/shared"
names='vfat;exfat;9p;NFS 4.2;NFS 3;NFS 3, local locks'

fetch_system() {
  local kernel
  kernel="$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image/ { print $2; exit }')"
  rm -rf "$system"
  mkdir -p "$system/packages"
  (cd "$system/packages" && apt-get -qq -o APT::Sandbox::User=root download "$kernel" nfs-kernel-server)
  for package in "$system"/packages/*.deb; do dpkg-deb -x "$package" "$system"; done
  rm -r "$system/packages"
  depmod -b "$system" "${kernel#linux-image-}"
}

# What the kernel needs to reach the host's root, and the program that goes there.
make_initrd() {
  local root
  root="$(mktemp -d)"
  mkdir "$root"/{bin,modules,proc,sys,dev,host,memory,system}
  cp /bin/busybox "$root/bin/"
  install -m 755 campaigns/filesystems/guest-init "$root/init"
  for module in virtio_pci 9pnet_virtio 9p overlay; do
    modprobe -d "$system" -S "$release" --show-depends "$module"
  done | awk '/^insmod/ && !seen[$2]++ { print $2 }' | while read -r file; do
    cp "$file" "$root/modules/"
    basename "$file" >> "$root/modules/order"
  done
  (cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) > "$guest/initrd"
  rm -r "$root"
}

need_apt busybox-static cpio dosfstools e2fsprogs exfatprogs kmod nfs-common qemu-system-x86 rpcbind util-linux
mkdir -p "$guest" "$shared"
once guest-system fetch_system
release="$(basename "$system"/boot/vmlinuz-*)"
release="${release#vmlinuz-}"
make_initrd

cat > "$guest/run" << EOF
export HOME=/mnt TMPDIR=/mnt PATH="$(dirname "$(command -v node)"):$system/usr/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
cd "$PWD"
mkdir -p /lib/modules
mount --bind "$system/lib/modules" /lib/modules
. campaigns/filesystems/guest-servers.sh
HOLDFAST_GUEST=1 node campaigns/filesystems/run.mjs --only "$names" ${*@Q}
echo "guest: ended with \$?"
EOF

said="$(mktemp)"
trap 'rm -f "$said"' EXIT
timeout -s KILL "$((${GUEST_MINUTES:-30} * 60))" qemu-system-x86_64 \
  -accel tcg,thread=multi -m 3G -smp 2 -nographic -nic none -no-reboot \
  -kernel "$system/boot/vmlinuz-$release" -initrd "$guest/initrd" \
  -append "console=ttyS0 quiet panic=-1 program=$guest/run" \
  -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
  -virtfs "local,path=$shared,mount_tag=shared,security_model=none" \
  -virtfs "local,path=$shared,mount_tag=again,security_model=none" \
  < /dev/null | sed -u 's/\r//g; s/\x1b\[[?0-9;]*[a-zA-Z]//g; s/\x1bc//g' | tee "$said" || true
grep -qx 'guest: ended with 0' "$said"
