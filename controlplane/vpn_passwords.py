"""Passwords of VPN accounts: made by chance, handed out once, kept as a hash that RADIUS can check. Pure."""

import base64
import hashlib
import secrets

import pyotp

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""None that a printed slip leaves in doubt: i, l, o, 0, 1."""
_GROUPS, _EACH = 3, 5
SCHEME = "SSHA2-512-Password"
_SALT = 16


def made() -> str:
    """Return a random password, like k7mqx-w3pdt-9hzrf: 74 bits that nobody guesses, whatever the hash costs."""
    number = secrets.randbelow(len(_LETTERS) ** (_GROUPS * _EACH))
    letters = []
    for _ in range(_GROUPS * _EACH):
        number, letter = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[letter])
    text = "".join(letters)
    return "-".join(text[at : at + _EACH] for at in range(0, len(text), _EACH))


def hashed(password: str) -> str:
    """Return a salted hash of SCHEME: base64 of SHA-512(password + salt) and the salt.

    Source: rlm_pap of FreeRADIUS, to which the view `radius_check` gives it in hexadecimal. It costs next to nothing,
    which does for passwords that were made by chance alone.
    """
    salt = secrets.token_bytes(_SALT)
    return base64.b64encode(hashlib.sha512(password.encode() + salt).digest() + salt).decode()


def otpauth(username: str, secret: str) -> str:
    """Return the secret of a second factor as an address that authenticators read from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name="VPN")
