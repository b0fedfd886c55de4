"""PDF files: refused where a plain look finds a script or an action that starts something.

Names in a PDF may be written with escapes, and objects may stand in compressed streams, so both are undone first; what
is hidden deeper than that is the reader's program to stop.
"""

import re
import zlib
from collections.abc import Iterator

from controlplane.attachments.refusals import (
    AttachmentActive,
    AttachmentBroken,
    AttachmentLocked,
    AttachmentNested,
    AttachmentSwells,
)

MAGIC = b"%PDF-"
MOST_UNPACKED = 64 * 1024 * 1024
_END_WITHIN = 2048
_ESCAPED = re.compile(rb"#([0-9A-Fa-f]{2})")
_ACTIVE = re.compile(rb"/(JavaScript|Launch|RichMedia)(?![A-Za-z0-9])|/(JS)\s*(?:\(|<|\d+\s+\d+\s+R)")
_INSIDE = re.compile(rb"/EmbeddedFiles?(?![A-Za-z0-9])")
_LOCKED = re.compile(rb"/Encrypt\s+(?:\d+\s+\d+\s+R|<<)")
_STREAM = re.compile(rb"stream\r?\n")
_DICTIONARY = 2000
"""How far before a stream what it is can stand."""


def check(name: str, content: bytes) -> None:
    """Look through a document and what its object streams hold.

    Raises AttachmentActive, AttachmentNested, AttachmentLocked, AttachmentSwells, AttachmentBroken.
    """
    if b"%%EOF" not in content[-_END_WITHIN:]:
        raise AttachmentBroken(name=name)
    _look(name, content)
    # A made-up file may have each stream end far behind: what is read counts as much as what comes of it.
    left = MOST_UNPACKED
    for start in _object_streams(content):
        end = content.find(b"endstream", start)
        packed = content[start : end if end >= 0 else len(content)]
        objects = _unpacked(packed, left)
        left -= len(packed) + len(objects)
        if left <= 0:
            raise AttachmentSwells(name=name)
        _look(name, objects)


def _object_streams(content: bytes) -> Iterator[int]:
    """Yield where the data of each object stream begins; each byte is looked at once, whatever is made up."""
    before = 0
    for stream in _STREAM.finditer(content):
        if content.find(b"/ObjStm", max(before, stream.start() - _DICTIONARY), stream.start()) >= 0:
            yield stream.end()
        before = stream.end()


def _look(name: str, content: bytes) -> None:
    plain = _ESCAPED.sub(lambda escape: bytes([int(escape[1], 16)]), content)
    if _LOCKED.search(plain):
        raise AttachmentLocked(name=name)
    if _INSIDE.search(plain):
        raise AttachmentNested(name=name, found="EmbeddedFile")
    found = _ACTIVE.search(plain)
    if found:
        raise AttachmentActive(name=name, found=(found[1] or found[2]).decode())


def _unpacked(content: bytes, most: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(content, most)
    except zlib.error:
        return b""
