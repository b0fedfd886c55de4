#!/bin/bash
# Builds the guest of the libvirt lab from Debian's packages: a disk image that boots by itself and takes its name, address and
# keys from cloud-init. Usage: guest_image.sh FOLDER; prints the path of the image. It is built once and kept: the
# recipe's own checksum is in the name, so a changed recipe is a new image. Needs root (a chroot); mounts nothing else.
set -euo pipefail

folder=$1
mirror=${STEPPE_LAB_MIRROR:-http://deb.debian.org/debian}
suite=bookworm
recipe=$(sha256sum "${BASH_SOURCE[0]}" | cut -c1-12)
image=$folder/debian-$suite-$recipe.qcow2

if [ -e "$image" ]; then
    qemu-img check -q "$image"
    echo "$image"
    exit 0
fi

mkdir -p "$folder"
work=$(mktemp -d "$folder/building.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT

packages=linux-image-cloud-amd64,initramfs-tools,zstd,systemd-sysv,dbus,udev,kmod,iproute2,iputils-ping,cloud-init
packages+=,cloud-guest-utils,e2fsprogs,fdisk,openssh-server,procps

mkdir "$work/files"
cat >"$work/files/cloud.cfg" <<'CFG'
datasource_list: [NoCloud]
disable_root: false
ssh_pwauth: false
ssh_genkeytypes: [ed25519]
users: []
cloud_init_modules: [growpart, resizefs, set_hostname, users-groups, ssh]
cloud_config_modules: []
cloud_final_modules: [write-files, runcmd, final-message]
CFG
cat >"$work/files/syslinux.cfg" <<'CFG'
SERIAL 0 115200
DEFAULT debian
LABEL debian
    LINUX /vmlinuz
    INITRD /initrd.img
    APPEND root=LABEL=root ro console=tty0 console=ttyS0,115200 quiet mitigations=off net.ifnames=1
CFG
# Modules that a disk on virtio needs, and no others: an emulated processor unpacks them at every boot.
cat >"$work/files/initramfs.conf" <<'CFG'
MODULES=list
COMPRESS=zstd
CFG
printf '%s\n' virtio_pci virtio_blk ext4 crc32c_generic >"$work/files/modules"
printf 'LABEL=root / ext4 defaults,noatime 0 1\n' >"$work/files/fstab"

mmdebstrap --quiet --mode=root --variant=minbase --include="$packages" \
    --aptopt='APT::Install-Recommends "false"' --dpkgopt=path-exclude='/usr/share/man/*' \
    --dpkgopt=path-exclude='/usr/share/doc/*' --dpkgopt=path-exclude='/usr/share/locale/*' \
    --essential-hook="mkdir -p \$1/etc/initramfs-tools/conf.d" \
    --essential-hook="copy-in $work/files/modules /etc/initramfs-tools" \
    --essential-hook="cp $work/files/initramfs.conf \$1/etc/initramfs-tools/conf.d/steppe" \
    --customize-hook="cp $work/files/cloud.cfg \$1/etc/cloud/cloud.cfg" \
    --customize-hook="cp $work/files/fstab \$1/etc/fstab" \
    --customize-hook="rm -f \$1/etc/cloud/cloud.cfg.d/*.cfg \$1/etc/ssh/ssh_host_* \$1/etc/hostname" \
    --customize-hook="chroot \$1 systemctl enable systemd-networkd ssh serial-getty@ttyS0" \
    --customize-hook="chroot \$1 systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
        e2scrub_all.timer fstrim.timer systemd-networkd-wait-online.service" \
    "$suite" "$work/root" "$mirror" 1>&2

# The loader reads a FAT partition, because one can be written without mounting it.
truncate -s 96M "$work/boot.part"
mkfs.vfat -n BOOT "$work/boot.part" >/dev/null
mcopy -i "$work/boot.part" "$work"/root/boot/vmlinuz-* ::/vmlinuz
mcopy -i "$work/boot.part" "$work"/root/boot/initrd.img-* ::/initrd.img
mcopy -i "$work/boot.part" "$work/files/syslinux.cfg" ::/syslinux.cfg
syslinux --install "$work/boot.part"
rm -f "$work"/root/boot/initrd.img-* "$work"/root/var/cache/apt/*.bin "$work"/root/var/lib/apt/lists/*_*

truncate -s 1500M "$work/root.part"
mkfs.ext4 -q -L root -d "$work/root" "$work/root.part"

truncate -s 1600M "$work/disk.raw"
sfdisk -q "$work/disk.raw" <<'TABLE'
label: dos
start=2048, size=96MiB, type=c, bootable
type=83
TABLE
dd if=/usr/lib/SYSLINUX/mbr.bin of="$work/disk.raw" bs=440 count=1 conv=notrunc status=none
dd if="$work/boot.part" of="$work/disk.raw" bs=1M seek=1 conv=notrunc,sparse status=none
dd if="$work/root.part" of="$work/disk.raw" bs=1M seek=97 conv=notrunc,sparse status=none

qemu-img convert -q -c -O qcow2 "$work/disk.raw" "$work/image.qcow2"
chmod 0644 "$work/image.qcow2"
qemu-img check -q "$work/image.qcow2"
mv "$work/image.qcow2" "$image"
echo "$image"
