"""Where the passwords that were handed out are afterwards: nowhere but in the hands of whom they were handed to."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
from psycopg import sql

from tests.labs.vpn_story import Lab
from tests.vpn_accounts.handed import PASSPHRASE

_KNOWN = b"wang.fang"
"""A user name, which stands wherever anything of anybody stands: what is looked through is not empty."""


def no_password_is_left_anywhere(lab: Lab) -> None:
    """Look for each of them in all that was written and answered."""
    words = [*(word.encode() for word in sorted(lab.handed)), PASSPHRASE.encode()]
    lab.report.figure("passwords looked for", str(len(lab.handed)))
    places = {
        "the whole database, job arguments and audit events in it": list(_tables(lab.url)),
        "Steppe's logs, the addresses that were asked for in them": list(_read(_steppe(lab))),
        "the logs of RADIUS, of the gateway and of its clients": list(_read(lab.site.logs())),
        "any answer but the file": lab.answers,
    }
    for place, texts in places.items():
        with lab.report.check(f"no password and no passphrase is in {place}"):
            whole = b"\0".join(texts)
            assert _KNOWN in whole or place.startswith("Steppe"), "it seems to be empty"
            lab.report.figure(f"looked through: {place}", f"{len(whole) / 1024:.0f} KiB")
            found = [word for word in words if word in whole]
            assert not found, f"{len(found)} of {len(words)}"


def _tables(url: str) -> Iterator[bytes]:
    """Yield all that there is, as its owner sees it."""
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
        for (table,) in cursor.fetchall():
            with cursor.copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))) as copied:
                yield b"".join(bytes(piece) for piece in copied)


def _steppe(lab: Lab) -> Iterator[Path]:
    state = lab.folder / "steppe"
    return (path for path in (lab.folder / "steppe.log", state / "postgres/log", *(state / "log").iterdir()))


def _read(paths: Iterator[Path] | list[Path]) -> Iterator[bytes]:
    return (path.read_bytes() for path in paths if path.is_file())
