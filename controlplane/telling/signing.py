"""The signature that a webhook's receiver checks: it shows that Steppe sent this body, and when."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime

HEADER = "Steppe-Signature"
_PREFIX = "whsec_"


def new_secret() -> str:
    """Return a secret of 256 random bits."""
    return _PREFIX + secrets.token_urlsafe(32)


def signature(body: bytes, keys: Sequence[str], now: datetime) -> str:
    """Return the header's value: the time, and for each secret the HMAC-SHA-256 of "time.body" in hex."""
    at = int(now.timestamp())
    signed = f"{at}.".encode() + body
    each = (hmac.new(key.encode(), signed, hashlib.sha256).hexdigest() for key in keys)
    return ",".join([f"t={at}", *(f"v1={mac}" for mac in each)])
