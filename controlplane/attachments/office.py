"""DOCX and XLSX: zip files of XML, opened only as far as bounds allow, and refused where they hold more than text.

A zip may claim what it likes of itself, so what counts is what comes out while it is unpacked, piece by piece.
"""

import io
import re
import zlib
from collections.abc import Iterator
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from controlplane.attachments.refusals import (
    AttachmentActive,
    AttachmentBroken,
    AttachmentLocked,
    AttachmentNested,
    AttachmentSwells,
    AttachmentUnknown,
)

MAGIC = b"PK\x03\x04"
MEDIA_TYPES = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
MOST_ENTRIES = 2000
MOST_UNPACKED = 200 * 1024 * 1024
MOST_RATIO = 100
"""How much larger than packed all may become, once it is larger than RATIO_FROM: text rarely shrinks to a fiftieth."""
RATIO_FROM = 4 * 1024 * 1024
_PIECE = 64 * 1024
_ENTRY, _LOCKED = b"PK\x01\x02", 0x1
_CONTENTS = "[Content_Types].xml"
_MAIN = {"docx": b"wordprocessingml.document.main+xml", "xlsx": b"spreadsheetml.sheet.main+xml"}
_MACROS = re.compile(r"vba(project|data)|/activex/|\.(bas|vbs|js|exe|dll)$", re.IGNORECASE)
_FOREIGN: tuple[tuple[bytes, str], ...] = (
    (MAGIC, "ZIP"),
    (b"PK\x05\x06", "ZIP"),
    (b"\x1f\x8b", "GZIP"),
    (b"7z\xbc\xaf\x27\x1c", "7Z"),
    (b"Rar!", "RAR"),
    (b"BZh", "BZIP2"),
    (b"\xfd7zXZ\x00", "XZ"),
    (b"\xd0\xcf\x11\xe0", "OLE"),
    (b"MZ", "EXE"),
)
_OUTSIDE_TEMPLATE = re.compile(rb"<Relationship\s(?=[^>]*attachedTemplate)(?=[^>]*TargetMode=[\"']External)")


def told(name: str, content: bytes) -> str:
    """Return `docx` or `xlsx`, by what the file says of its contents. Raises AttachmentUnknown, and as `check` does."""
    with _opened(name, content) as archive:
        if _CONTENTS not in archive.NameToInfo:
            raise AttachmentUnknown(name=name)
        contents = b"".join(_pieces(name, archive, archive.NameToInfo[_CONTENTS], 1024 * 1024))
    if b"macroEnabled" in contents or b"vbaProject" in contents:
        raise AttachmentActive(name=name, found="macroEnabled")
    kind = next((kind for kind, main in _MAIN.items() if main in contents), None)
    if kind is None:
        raise AttachmentUnknown(name=name)
    return kind


def check(name: str, content: bytes) -> None:
    """Unpack a document piece by piece, keeping nothing.

    Raises AttachmentSwells, AttachmentNested, AttachmentActive, AttachmentLocked, AttachmentBroken.
    """
    left = min(MOST_UNPACKED, max(RATIO_FROM, len(content) * MOST_RATIO))
    with _opened(name, content) as archive:
        for entry in archive.infolist():
            if _MACROS.search(entry.filename):
                raise AttachmentActive(name=name, found=entry.filename)
            for number, piece in enumerate(_pieces(name, archive, entry, left)):
                left -= len(piece)
                if number == 0:
                    _look(name, entry, piece)


def _opened(name: str, content: bytes) -> ZipFile:
    """Open a zip whose list of entries is bounded: reading it is what costs first."""
    if content.count(_ENTRY) > MOST_ENTRIES:
        raise AttachmentSwells(name=name)
    try:
        archive = ZipFile(io.BytesIO(content))
    except (BadZipFile, NotImplementedError, ValueError):
        raise AttachmentBroken(name=name) from None
    entries = archive.infolist()
    if len({entry.filename for entry in entries}) < len(entries):
        raise AttachmentBroken(name=name)
    if any(entry.flag_bits & _LOCKED for entry in entries):
        raise AttachmentLocked(name=name)
    if any(entry.compress_type not in {ZIP_STORED, ZIP_DEFLATED} for entry in entries):
        raise AttachmentBroken(name=name)
    return archive


def _pieces(name: str, archive: ZipFile, entry: ZipInfo, most: int) -> Iterator[bytes]:
    """Yield what an entry holds. Raises AttachmentSwells once that is more than `most` bytes, AttachmentBroken."""
    unpacked = 0
    try:
        with archive.open(entry) as file:
            while piece := file.read(_PIECE):
                unpacked += len(piece)
                if unpacked > most:
                    raise AttachmentSwells(name=name)
                yield piece
    except (BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError, OSError, zlib.error):
        raise AttachmentBroken(name=name) from None


def _look(name: str, entry: ZipInfo, start: bytes) -> None:
    found = next((called for magic, called in _FOREIGN if start.startswith(magic)), None)
    if found:
        raise AttachmentNested(name=name, found=f"{entry.filename} ({found})")
    if entry.filename.endswith(".rels") and _OUTSIDE_TEMPLATE.search(start):
        raise AttachmentActive(name=name, found="attachedTemplate")
