#!/bin/bash
# Builds what guests of the OpenStack lab boot: Debian's cloud kernel, and an initrd that takes an address by DHCP, asks the
# metadata service who it is, tells both and its disks on its serial line, and lets the power button switch it off.
# Usage: openstack_guest.sh FOLDER; prints the folder with vmlinuz and initrd.gz. Built once and kept: the recipe's own
# checksum is in the name.
set -euo pipefail

recipe=$(sha256sum "${BASH_SOURCE[0]}" | cut -c1-12)
guest=$1/openstack-guest-$recipe
if [ -e "$guest/initrd.gz" ]; then
    echo "$guest"
    exit 0
fi

mkdir -p "$1"
work=$(mktemp -d "$1/building.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
chmod 755 "$work"

kernel=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image-/ { print $2; exit }')
(cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$kernel")
dpkg-deb -x "$work"/linux-image-*.deb "$work/kernel"
version=$(basename "$work"/kernel/lib/modules/*)
depmod -b "$work/kernel" "$version"

root=$work/root
mkdir -p "$root"/{bin,dev,etc/acpi/PWRF,lib/modules,mnt,proc,run,sys,tmp}
cp /usr/bin/busybox "$root/bin/busybox"
for module in virtio_pci virtio_blk virtio_net button evdev; do
    modprobe -d "$work/kernel" -S "$version" --show-depends "$module" | awk '/^insmod/ { print $2 }'
done | awk '!seen[$0]++' >"$work/modules"
while read -r file; do
    cp "$file" "$root/lib/modules/"
    basename "$file" >>"$root/lib/modules/order"
done <"$work/modules"

cat >"$root/etc/acpi/PWRF/00000080" <<'SH'
#!/bin/sh
echo GUEST-POWERBUTTON >/dev/console
poweroff -f
SH
# Without a router the way to the metadata service comes as a static route.
cat >"$root/bin/lease" <<'SH'
#!/bin/sh
case $1 in
bound | renew)
    ip addr flush dev "$interface"
    ip addr add "$ip/${mask:-24}" dev "$interface"
    [ -z "$router" ] || ip route add default via "$router"
    set -- $staticroutes
    while [ -n "$2" ]; do
        ip route add "$1" via "$2"
        shift 2
    done
    echo "GUEST-ADDRESS $interface $ip/$mask" >/dev/console
    ;;
esac
SH
cat >"$root/init" <<'SH'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in $(cat /lib/modules/order); do insmod "/lib/modules/$module"; done
acpid -d >/dev/null 2>&1 &
ip link set lo up
memory=$(awk '/MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
echo "GUEST-BOOTED cpus=$(grep -c ^processor /proc/cpuinfo) memory=$memory" >/dev/console
echo "GUEST-DISKS" $(for disk in /sys/block/vd*; do echo $(($(cat "$disk/size") / 2097152)); done) "GiB" >/dev/console
# How often something has booted from the disk that is in it: what tells a disk from one that it was before.
booted=$(dd if=/dev/vda bs=512 skip=2048 count=1 2>/dev/null | tr -dc 0-9)
printf '%-512s' "$((${booted:-0} + 1))" | dd of=/dev/vda bs=512 seek=2048 conv=notrunc 2>/dev/null
sync
echo "GUEST-DISK-BOOTED ${booted:-0}" >/dev/console
for link in /sys/class/net/e*; do
    name=${link##*/}
    ip link set "$name" up
    udhcpc -i "$name" -O staticroutes -s /bin/lease -t 8 -T 2 -A 2 -b -q >/dev/null 2>&1
done
id=$(wget -q -O - http://169.254.169.254/latest/meta-data/instance-id 2>/dev/null)
[ -z "$id" ] || echo "GUEST-INSTANCE $id" >/dev/console
setsid cttyhack sh </dev/console >/dev/console 2>&1 || true
while :; do sleep 3600; done
SH
chmod 755 "$root/init" "$root/bin/lease" "$root/etc/acpi/PWRF/00000080"

mkdir "$work/guest"
cp "$work/kernel/boot/vmlinuz-$version" "$work/guest/vmlinuz"
(cd "$root" && find . | cpio -o -H newc --quiet) | gzip -9 >"$work/guest/initrd.gz"
chmod 755 "$work/guest"
mv "$work/guest" "$guest"
echo "$guest"
