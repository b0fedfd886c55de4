"""Files that come with requests."""

from flask import Response, request

from controlplane import lookups
from controlplane.attachments.contents import MEDIA_TYPES
from controlplane.services import attachments as service
from web import files, present
from web.api.nouns import noun
from web.context import actor, bounds, session
from web.published import Attachment, AttachmentForm, Attachments, attachment
from web.schemas import IdPath, WriteQuery

of_requests = noun("requests_attachments", "/requests", "Files that come with a request")
api = noun("attachments", "/attachments", "Files that came with requests")

BLUEPRINTS = (of_requests, api)
_FILE = {"content": {of: {"schema": {"type": "string", "format": "binary"}} for of in MEDIA_TYPES}}


@of_requests.get("/<ref>/attachments", responses={200: Attachments})
def index(path: IdPath) -> Response:
    """List the files of a request, the oldest first"""
    found = lookups.request_for(session(), actor(), path.ref)
    listed = lookups.attachments_of(session(), actor(), found.id)
    return present.answer({"items": [attachment(one) for one in listed]})


@of_requests.post("/<ref>/attachments", responses={201: Attachment})
def add(path: IdPath, form: AttachmentForm, query: WriteQuery) -> Response:
    """Attach a file to a request that is a draft, was returned or waits for a decision

    PDF, PNG, JPEG, DOCX, XLSX, SVG, or text and CSV in UTF-8 or GB18030. What is in it decides, and its name has to say
    the same.
    """
    made = service.add(session(), actor(), path.ref, files.uploaded(), bounds())
    answer = present.answer(attachment(made), 201)
    answer.headers["Location"] = f"{request.script_root}/api/v1/attachments/{made.id}"
    return answer


@api.get("/<ref>", responses={200: Attachment})
def show(path: IdPath) -> Response:
    """Show what a file is"""
    return present.answer(attachment(lookups.attachment_for(session(), actor(), path.ref)))


@api.get("/<ref>/content", responses={200: _FILE, 304: {"description": "The caller has it as it is", **_FILE}})
def content(path: IdPath) -> Response:
    """Give what is in a file; its ETag is its SHA-256"""
    return files.sent(path.ref)


@api.delete("/<ref>")
def remove(path: IdPath, query: WriteQuery) -> Response:
    """Take a file away from a request that is a draft or was returned"""
    service.remove(session(), actor(), path.ref)
    return present.answer({})
