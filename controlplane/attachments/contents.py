"""What a file is, told by what is in it; its name has to say the same, and only what does nothing by itself is taken.

Whoever decides on a request opens what came with it on his own machine, so a file that runs or loads something there is
worse than none. Checks look and never carry anything out.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from controlplane.attachments import drawings, names, office, papers
from controlplane.attachments.refusals import (
    AttachmentBroken,
    AttachmentEmpty,
    AttachmentMisnamed,
    AttachmentOld,
    AttachmentTooLarge,
    AttachmentUnknown,
)

MIB = 1024 * 1024
_PNG, _JPEG, _OLD_OFFICE = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
_JPEG_END = b"\xff\xd9"
_LINE_ENDS = frozenset("\t\n\r\f")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it was sent."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Checked:
    """A file that may be kept."""

    name: str
    media_type: str
    sha256: str
    content: bytes


@dataclass(frozen=True, slots=True)
class _Kind:
    """A type of file: what people call it, its endings with their media types, and what else has to hold."""

    called: str
    endings: Mapping[str, str]
    check: Callable[[str, bytes], None]


def checked(upload: Upload, most_mib: int) -> Checked:
    """Return a file that may be kept, under its cleaned name. Raises AttachmentRefused."""
    name, content = names.cleaned(upload.name), upload.content
    if not content:
        raise AttachmentEmpty(name=name)
    if len(content) > most_mib * MIB:
        raise AttachmentTooLarge(name=name, most=most_mib)
    kind = _KINDS[_told(name, content)]
    ending = names.ending(name)
    if ending not in kind.endings:
        known = any(ending in other.endings for other in _KINDS.values())
        raise AttachmentMisnamed(name=name, found=kind.called) if known else AttachmentUnknown(name=name)
    kind.check(name, content)
    return Checked(name, kind.endings[ending], hashlib.sha256(content).hexdigest(), content)


def _told(name: str, content: bytes) -> str:
    """Return the kind that content is of. Raises AttachmentUnknown, AttachmentOld, and what `office.told` raises."""
    if content.startswith(papers.MAGIC):
        return "pdf"
    if content.startswith(_PNG):
        return "png"
    if content.startswith(_JPEG):
        return "jpeg"
    if content.startswith(office.MAGIC):
        return office.told(name, content)
    if content.startswith(_OLD_OFFICE):
        raise AttachmentOld(name=name)
    text = _text(content)
    if text is None:
        raise AttachmentUnknown(name=name)
    return "svg" if drawings.looks_like_one(text) else "text"


def _text(content: bytes) -> str | None:
    """Return content as text, None where it is none: any other character than these does not belong into one."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        control = {c for c in text if c < " " or "\x7f" <= c < "\xa0"} - _LINE_ENDS
        return None if control else text
    return None


def _check_png(name: str, content: bytes) -> None:
    if not content.endswith(_PNG_END):
        raise AttachmentBroken(name=name)


def _check_jpeg(name: str, content: bytes) -> None:
    # Cameras put more behind the picture, so its end need not be that of the file.
    if _JPEG_END not in content:
        raise AttachmentBroken(name=name)


def _check_nothing(_name: str, _content: bytes) -> None:
    """Text does nothing."""


_KINDS: Mapping[str, _Kind] = {
    "pdf": _Kind("PDF", {"pdf": "application/pdf"}, papers.check),
    "png": _Kind("PNG", {"png": "image/png"}, _check_png),
    "jpeg": _Kind("JPEG", {"jpg": "image/jpeg", "jpeg": "image/jpeg"}, _check_jpeg),
    "docx": _Kind("DOCX", {"docx": office.MEDIA_TYPES["docx"]}, office.check),
    "xlsx": _Kind("XLSX", {"xlsx": office.MEDIA_TYPES["xlsx"]}, office.check),
    "svg": _Kind("SVG", {"svg": "image/svg+xml"}, drawings.check),
    "text": _Kind("TXT/CSV", {"txt": "text/plain", "csv": "text/csv"}, _check_nothing),
}

ENDINGS = tuple(ending for kind in _KINDS.values() for ending in kind.endings)
"""The endings that are taken, for a form to say."""

MEDIA_TYPES = tuple(sorted({media_type for kind in _KINDS.values() for media_type in kind.endings.values()}))
"""The media types that a kept file can have."""
