"""Passwords: their hashes, their rules, and those that Steppe makes. Nothing here knows of users or of the database."""

import secrets
from dataclasses import dataclass
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from controlplane.errors import (
    PasswordGuessable,
    PasswordHasName,
    PasswordLength,
    PasswordTooPlain,
    PasswordUsed,
)

LONGEST = 128
_CLASSES = 3
_GOOD_SCORE = 3
_GUESSED = 72
_LEAST_NAME = 3
_hasher = PasswordHasher()


@dataclass(frozen=True, slots=True)
class Wish:
    """A password that somebody wants. `words` are what others know of him, the user name first; `before` are the hashes
    of what he may not take again."""

    password: str
    words: tuple[str, ...]
    before: tuple[str, ...] = ()


def hashed(password: str) -> str:
    """Return the argon2id hash of a password."""
    return _hasher.hash(password)


def matches(hash_: str | None, password: str) -> bool:
    """Tell whether this is the password of a hash. None, of nobody, takes as long as any other and is never right."""
    try:
        _hasher.verify(hash_ or _nobody(), password)
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False
    return hash_ is not None


def one_time() -> str:
    """Return a random password, for the first sign-in: 96 bits that nobody guesses."""
    return secrets.token_urlsafe(12)


def check(wish: Wish, least: int) -> None:
    """Raise the refusal of the first rule that a password breaks. `least` is how many characters it needs."""
    password = wish.password
    if not least <= len(password) <= LONGEST:
        raise PasswordLength(least=least, most=LONGEST)
    name = wish.words[0].casefold()
    if len(name) >= _LEAST_NAME and name in password.casefold():
        raise PasswordHasName
    if _classes(password) < _CLASSES:
        raise PasswordTooPlain
    if _score(password, wish.words) < _GOOD_SCORE:
        raise PasswordGuessable
    if any(matches(old, password) for old in wish.before):
        raise PasswordUsed


def _classes(password: str) -> int:
    kinds = (str.isupper, str.islower, str.isdecimal)
    plain = [any(kind(c) for c in password) for kind in kinds]
    return sum(plain) + any(not any(kind(c) for kind in kinds) for c in password)


def _score(password: str, words: tuple[str, ...]) -> int:
    # Its lists of words take 14 MB, which only a process that sets passwords should have.
    from zxcvbn import zxcvbn

    return int(zxcvbn(password[:_GUESSED], list(words))["score"])


@cache
def _nobody() -> str:
    """Return the hash of a password that nobody has."""
    return _hasher.hash(secrets.token_hex(16))
