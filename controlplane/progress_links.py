"""Links to the progress page of a request, good for whoever has one: signed by the installation, never kept.

What a link says is written in the request as well, so giving a request another key ends every link to it.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from itsdangerous import BadData, URLSafeSerializer

from controlplane.secrets import Keys


@dataclass(frozen=True, slots=True)
class Link:
    """Which request a link is for, the key that the request had then, and until when it is good, in whole seconds."""

    request: UUID
    key: UUID
    until: datetime


def written(keys: Keys, link: Link) -> str:
    """Return the token of a link."""
    return _signer(keys).dumps([link.request.hex, link.key.hex, int(link.until.timestamp())])


def read(keys: Keys, token: str) -> Link | None:
    """Return what a token says, None where it was not made here."""
    try:
        request, key, until = _signer(keys).loads(token)
    except BadData:
        return None
    return Link(UUID(request), UUID(key), datetime.fromtimestamp(until, UTC))


def _signer(keys: Keys) -> URLSafeSerializer:
    return URLSafeSerializer(keys.signing("progress"), signer_kwargs={"digest_method": hashlib.sha256})
