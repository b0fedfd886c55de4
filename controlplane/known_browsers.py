"""Browsers at which somebody has come in before. Tries there are counted by themselves: whoever tries a name elsewhere,
wrong and wrong again, locks it for strangers and not for the one whose name it is.

A mark is kept by the browser alone. It opens nothing: who brings it has as many tries as a stranger has, and then a
lock of his own. It holds when it was made and a random value, and what binds both to the user name.
"""

import hmac
import secrets
from datetime import UTC, datetime, timedelta

from controlplane.entrance import Arrival
from controlplane.secrets import Keys

LIFE = timedelta(days=90)


def counted_under(keys: Keys, name: str, arrival: Arrival) -> bytes:
    """Return what the tries of this arrival under a name are counted under."""
    mark = _genuine(keys, name, arrival)
    return keys.hidden(f"{name}\n{mark}" if mark else name)


def mark_of(keys: Keys, name: str, arrival: Arrival) -> str:
    """Return the mark by which the browser is known from now on: the one that it brought, if that is good."""
    return _genuine(keys, name, arrival) or _made(keys, name, arrival.now)


def _made(keys: Keys, name: str, now: datetime) -> str:
    plain = f"{int(now.timestamp())}-{secrets.token_hex(16)}"
    return f"{plain}-{_seal(keys, name, plain)}"


def _genuine(keys: Keys, name: str, arrival: Arrival) -> str | None:
    for mark in arrival.marks:
        made, _, seal = mark.rpartition("-")
        good = hmac.compare_digest(seal.encode(), _seal(keys, name, made).encode())
        if good and arrival.now < datetime.fromtimestamp(int(made.partition("-")[0]), UTC) + LIFE:
            return mark
    return None


def _seal(keys: Keys, name: str, plain: str) -> str:
    return keys.vouched(f"{name}\n{plain}")
