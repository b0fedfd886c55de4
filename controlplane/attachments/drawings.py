"""SVG drawings: XML that a browser would run, so everything is refused in them that can run or load something."""

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from controlplane.attachments.refusals import AttachmentActive, AttachmentBroken

_SEARCHED = 64 * 1024
_ROOT = re.compile(r"<(?:[\w.-]+:)?svg[\s/>]", re.IGNORECASE)
_DECLARATION = re.compile(r"\s*<\?xml\s[^>]*\?>")
_NAMESPACE = "http://www.w3.org/2000/svg"
_REFUSED = frozenset(
    {"script", "foreignobject", "iframe", "embed", "object", "audio", "video", "handler", "listener", "link", "meta"}
)
_ANIMATED = frozenset({"animate", "set", "animatetransform", "animatemotion"})
_PICTURE = re.compile(r"data:image/(?:png|jpeg);base64,[A-Za-z0-9+/=\s]*")
_LOADS = re.compile(
    r"@import|\\|expression\s*\(|javascript:|url\(\s*['\"]?\s*(?!#|data:image/(?:png|jpeg);)", re.IGNORECASE
)


def looks_like_one(text: str) -> bool:
    """Tell whether text is meant to be a drawing."""
    return text.lstrip()[:1] == "<" and _ROOT.search(text[:_SEARCHED]) is not None


def check(name: str, content: bytes) -> None:
    """Raise AttachmentActive for a drawing that could run or load something, AttachmentBroken for what is no XML."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise AttachmentBroken(name=name) from None
    body = _DECLARATION.sub("", text, count=1)
    for sign in ("<!DOCTYPE", "<!ENTITY", "<?"):
        if sign in body.upper():
            raise AttachmentActive(name=name, found=sign)
    try:
        root = fromstring(body, forbid_dtd=True)
    except DefusedXmlException:
        raise AttachmentActive(name=name, found="<!DOCTYPE") from None
    except ParseError:
        raise AttachmentBroken(name=name) from None
    if root.tag not in {f"{{{_NAMESPACE}}}svg", "svg"}:
        raise AttachmentBroken(name=name)
    found = next(_active(root), None)
    if found:
        raise AttachmentActive(name=name, found=found)


def _active(root: Element) -> Iterator[str]:
    """Yield what can run or load something, as its author knows it."""
    for element in root.iter():
        tag = _local(element.tag)
        if tag in _REFUSED:
            yield f"<{tag}>"
        if tag == "style" and _LOADS.search("".join(element.itertext())):
            yield "<style>"
        for attribute, value in element.attrib.items():
            if _runs_or_loads(tag, attribute, value):
                yield f"{_local(attribute)}={value[:40]!r}"


def _runs_or_loads(tag: str, attribute: str, value: str) -> bool:
    name = _local(attribute)
    if name.startswith("on") or name == "base":
        return True
    if name in {"href", "src"}:
        return not value.strip().startswith("#") and not _PICTURE.fullmatch(value.strip()) and bool(value.strip())
    if name == "attributename":
        animated = value.lower().rpartition(":")[2].strip()
        return tag in _ANIMATED and (animated in {"href", "src"} or animated.startswith("on"))
    return _LOADS.search(value) is not None


def _local(name: str) -> str:
    return str(name).rpartition("}")[2].lower()
