#!/usr/bin/env bash
# Install what pip cannot bring: the compiler and headers that libvirt-python is built with, the parts that Debian
# splits off Python, curl for the README's first calls, and what VPN accounts are tested with: a RADIUS server, a gateway
# and its client. No package starts a daemon by it. Does nothing where all of it is there.
set -euo pipefail

python=${1:?usage: system_packages.sh PYTHON}

installed() {
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

wanted=()
for package in ca-certificates curl gcc git iproute2 iputils-ping libc6-dev libvirt-dev make nftables ocserv openconnect \
    openssl pkg-config; do
    wanted+=("$package")
done
radius=(freeradius freeradius-postgresql freeradius-python3 freeradius-utils)
wanted+=("${radius[@]}" python3-cryptography python3-pyotp)

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
"$python" -c 'import ensurepip, venv' 2>/dev/null || wanted+=("python$version-venv")
headers=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
[[ -e $headers/Python.h ]] || wanted+=("python$version-dev")

if ! command -v dpkg-query >/dev/null; then
    echo "Not a Debian-like system: the counterparts of these packages are taken to be there: ${wanted[*]}" >&2
    exit
fi

missing=()
for package in "${wanted[@]}"; do
    installed "$package" || missing+=("$package")
done
((${#missing[@]})) || exit 0

install=(apt-get -o DPkg::Lock::Timeout=400 install -y --no-install-recommends "${missing[@]}")
become=()
if ((EUID != 0)); then
    if ! sudo -n true 2>/dev/null; then
        echo "System packages are missing. Run this, then make again:" >&2
        echo "    sudo apt-get update && sudo ${install[*]}" >&2
        exit 1
    fi
    become=(sudo -n)
fi
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' | "${become[@]}" install -m 755 /dev/stdin "$policy"
    trap '"${become[@]}" rm -f "$policy"' EXIT
fi
"${become[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=400 update -qq
"${become[@]}" env DEBIAN_FRONTEND=noninteractive "${install[@]}"
# Not at the next start of the machine either: as Debian sets it up, it would answer on every address.
if [[ " ${missing[*]} " == *" freeradius "* ]] && command -v systemctl >/dev/null; then
    "${become[@]}" systemctl disable --quiet freeradius
fi
