#!/usr/bin/env bash
# Run a command with STEPPE_DATABASE_URL naming a throw-away server of Debian's own PostgreSQL, and stop it afterwards.
set -euo pipefail

if ! compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null; then
    apt-get -o DPkg::Lock::Timeout=400 update -qq
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=400 install -y -qq --no-install-recommends postgresql
fi
binaries=$(compgen -G '/usr/lib/postgresql/*/bin' | sort -V | tail -n 1)
folder=$(mktemp -d /tmp/steppe-postgres.XXXXXX)
chown postgres "$folder"

as_postgres() { setpriv --reuid postgres --regid postgres --clear-groups -- "$@"; }
stop() {
    as_postgres "$binaries/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null || true
    rm -rf "$folder"
}
trap stop EXIT

as_postgres "$binaries/initdb" -D "$folder/data" --auth=trust --encoding=utf8 >/dev/null
as_postgres "$binaries/pg_ctl" -D "$folder/data" -w -l "$folder/log" \
    -o "-h '' -k $folder -c max_connections=200 -c fsync=off" start >/dev/null
"$binaries/postgres" --version
STEPPE_DATABASE_URL="postgresql://postgres@/postgres?host=$folder" "$@"
