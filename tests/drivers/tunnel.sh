#!/bin/sh
# What openconnect does once it is let in: the address and the routes that it was given, and nothing to the machine.
set -eu
[ "$reason" = connect ] || exit 0
ip link set dev "$TUNDEV" up mtu "${INTERNAL_IP4_MTU:-1400}"
ip address add "$INTERNAL_IP4_ADDRESS/32" dev "$TUNDEV"
i=0
while [ "$i" -lt "${CISCO_SPLIT_INC:-0}" ]; do
    ip route replace "$(printenv "CISCO_SPLIT_INC_${i}_ADDR")/$(printenv "CISCO_SPLIT_INC_${i}_MASKLEN")" dev "$TUNDEV"
    i=$((i + 1))
done
