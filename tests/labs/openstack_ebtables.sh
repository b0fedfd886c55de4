#!/bin/bash
# ebtables-nft 1.8.9 refuses to delete a rule with --among-src by its words, and the linuxbridge agent then tries for ever.
# Such a rule is deleted by its number instead; everything else goes through as it is.
set -u

chain=
words=("$@")
for index in "${!words[@]}"; do
    if [ "${words[index]}" = -D ]; then
        chain=${words[index + 1]}
    fi
done
if [ -n "$chain" ] && [[ " $* " == *" --among-src "* ]]; then
    number=$(/usr/sbin/ebtables-nft -t nat -L "$chain" --Ln 2>/dev/null | awk -F. '/among-src/ { print $1 + 0; exit }')
    exec /usr/sbin/ebtables-nft -t nat -D "$chain" "${number:-1}"
fi
exec /usr/sbin/ebtables-nft "$@"
