"""Files that come in and go out: one way for the API and the console.

What goes out is for saving, never for showing: a browser that opened it would run it as a page of ours.
"""

from urllib.parse import quote

from flask import Response, g, request

from controlplane import lookups
from controlplane.attachments.contents import Upload
from web.context import actor, session


def uploaded(field: str = "file") -> Upload | None:
    """Return the file that a form came with, None where there is none."""
    sent = request.files.get(field)
    return Upload(sent.filename, sent.read()) if sent is not None and sent.filename else None


def sent(ref: str) -> Response:
    """Return what is in an attachment, for saving; nothing where the caller has it, or asks for the head alone.

    Raises Forbidden, NotFound.
    """
    found = lookups.attachment_for(session(), actor(), ref)
    if found.sha256 in request.if_none_match:
        answer = Response(status=304)
    elif request.method == "HEAD":
        answer = Response(content_type=found.media_type, headers={"Content-Length": str(found.size)})
    else:
        content = lookups.attachment_for(session(), actor(), ref, content=True).content
        answer = Response(content, content_type=found.media_type)
    g.more_content_security = "; sandbox"
    answer.set_etag(found.sha256)
    answer.headers["Content-Disposition"] = for_saving(found.name)
    return answer


def saved(content: bytes, name: str, media_type: str) -> Response:
    """Return a file that was made for whoever asks, and for nobody else: no cache keeps it."""
    answer = Response(content, content_type=media_type)
    answer.headers["Content-Disposition"] = for_saving(name)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def for_saving(name: str) -> str:
    """Return the header that has a browser save a file under this name: RFC 6266, with the name in UTF-8 (RFC 5987)."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_. ") else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
