#!/bin/sh
# What openconnect does once it is let in: the address and the routes that it was given, and nothing to the machine.
# With `elsewhere` it does nothing to its namespace either, where many clients are.
set -eu
[ "$reason" = connect ] || exit 0
if [ "${1:-}" != elsewhere ]; then
    ip link set dev "$TUNDEV" up mtu "${INTERNAL_IP4_MTU:-1400}"
    ip address add "$INTERNAL_IP4_ADDRESS/32" dev "$TUNDEV"
    i=0
    while [ "$i" -lt "${CISCO_SPLIT_INC:-0}" ]; do
        network="$(printenv "CISCO_SPLIT_INC_${i}_ADDR")/$(printenv "CISCO_SPLIT_INC_${i}_MASKLEN")"
        ip route replace "$network" dev "$TUNDEV"
        i=$((i + 1))
    done
fi
echo "tunnel up as $INTERNAL_IP4_ADDRESS."
