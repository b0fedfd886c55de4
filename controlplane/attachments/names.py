"""Names of files as they are kept: no path, nothing that a screen or a shell could misread, Chinese as it is."""

import unicodedata
from pathlib import PurePosixPath

from controlplane.attachments.refusals import AttachmentNameless

LONGEST = 150
_NOT_KEPT = frozenset('<>:"|?*')


def cleaned(given: str) -> str:
    """Return the name under which a file is kept, at most LONGEST characters. Raises AttachmentNameless."""
    last = given.replace("\\", "/").rpartition("/")[2]
    # Category C: control characters, and those that turn the direction of writing, which hide an ending.
    kept = "".join(c for c in unicodedata.normalize("NFC", last) if unicodedata.category(c)[0] != "C")
    plain = "".join("_" if c in _NOT_KEPT else c for c in kept).strip(" .")
    stem, ending = PurePosixPath(plain).stem, PurePosixPath(plain).suffix
    if not any(c.isalnum() for c in stem):
        raise AttachmentNameless(name=plain or "?")
    return stem[: LONGEST - len(ending)] + ending if len(ending) < LONGEST else stem[:LONGEST]


def ending(name: str) -> str:
    """Return the ending of a name in small letters, without its dot."""
    return PurePosixPath(name).suffix.removeprefix(".").lower()
