"""What in a pool's connection is secret: sealed before it is recorded, opened where a driver is made of it."""

from collections.abc import Mapping
from typing import Any

from cryptography.fernet import InvalidToken

from controlplane.secrets import Keys

SECRET = frozenset({"password", "application_credential_secret", "token"})
SEALED = "sealed"


class CannotOpen(Exception):
    """A pool's secret was sealed with a key that is not here."""


def sealed(keys: Keys, connection: Mapping[str, Any]) -> dict[str, Any]:
    """Return a connection with its secrets sealed; one that is sealed already stays."""
    return {name: _sealed(keys, value) if name in SECRET else value for name, value in connection.items()}


def opened(keys: Keys, connection: Mapping[str, Any]) -> dict[str, Any]:
    """Return a connection as a driver reads it. Raises CannotOpen."""
    return {name: _opened(keys, value) if name in SECRET else value for name, value in connection.items()}


def resealed(keys: Keys, connection: Mapping[str, Any]) -> dict[str, Any]:
    """Return a connection whose secrets are sealed with the newest key. Raises CannotOpen."""
    return sealed(keys, opened(keys, connection))


def _sealed(keys: Keys, value: Any) -> Any:
    if value is None or (isinstance(value, dict) and value.keys() == {SEALED}):
        return value
    # A password of digits that somebody wrote as a number is as secret as any.
    return {SEALED: keys.sealing.encrypt(str(value).encode()).decode()}


def _opened(keys: Keys, value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    try:
        return keys.sealing.decrypt(str(value[SEALED]).encode()).decode()
    except (InvalidToken, KeyError) as error:
        raise CannotOpen(
            "it was sealed with another key: see STEPPE_SEALING_KEYS, or give it to the pool anew"
        ) from error
