#!/bin/bash
# Installs what the libvirt lab needs, on Debian, where it is not there. No package starts a daemon by it. Needs root.
set -euo pipefail

packages=(libvirt-daemon-system libvirt-daemon-driver-qemu libvirt-clients qemu-system-x86 qemu-utils mmdebstrap syslinux
    mtools dosfstools fdisk e2fsprogs iproute2 iputils-ping openssh-client util-linux)

if dpkg-query -W -f '${db:Status-Status}\n' "${packages[@]}" 2>/dev/null | grep -cx installed | grep -qx "${#packages[@]}"; then
    exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "the libvirt lab needs root: it installs packages and makes namespaces" >&2
    exit 1
fi
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -o DPkg::Lock::Timeout=400 -qq update
apt-get -o DPkg::Lock::Timeout=400 -qq install -y --no-install-recommends "${packages[@]}"
