#!/bin/sh
# Makes a gateway's own certificate where there is none, and a new one for the same key where fewer days than RENEW are
# left or it is for another name. ocserv is told, where it runs.
set -eu

[ $# -eq 5 ] || { echo "usage: renew_certificate.sh FOLDER NAME DAYS RENEW OCCTL_SOCKET" >&2; exit 2; }
folder=$1 name=$2 days=$3 renew=$4 socket=$5
key=$folder/key.pem certificate=$folder/certificate.pem

case $name in
*[!0-9.]*) names=DNS:$name check=-checkhost ;;
*) names=IP:$name check=-checkip ;;
esac

if [ -s "$certificate" ] && openssl x509 -in "$certificate" -noout -checkend $((renew * 86400)) >/dev/null &&
    openssl x509 -in "$certificate" -noout "$check" "$name" | grep -q "does match"; then
    exit 0
fi

umask 077
if [ ! -s "$key" ]; then
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$key.new"
    mv "$key.new" "$key"
fi
openssl req -x509 -new -key "$key" -out "$certificate.new" -days "$days" -subj "/CN=$name" \
    -addext "subjectAltName=$names" -addext "extendedKeyUsage=serverAuth" -addext "basicConstraints=critical,CA:FALSE"
mv "$certificate.new" "$certificate"
[ ! -S "$socket" ] || occtl -s "$socket" reload >/dev/null
echo renewed
