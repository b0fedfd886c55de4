"""Files of a request: the part of its page that lists and takes them, and what that part does."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, redirect, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from controlplane import lookups
from controlplane.attachments.contents import ENDINGS
from controlplane.attachments.refusals import AttachmentRefused
from controlplane.policy import allows
from controlplane.services import attachments as service
from web import files
from web.console.returning import local
from web.context import actor, bounds, session
from web.errors import message


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/requests/<uuid:ref>/attachments", "request_attach", add, methods=["POST"])
    pages.add_url_rule("/attachments/<uuid:ref>", "attachment", show)
    pages.add_url_rule("/attachments/<uuid:ref>/remove", "attachment_remove", remove, methods=["POST"])


def box(asked: Any) -> dict[str, Any]:
    """Return what `requests/_attachments.html` wants as `attached`, for a request that the reader was let have."""
    listed = lookups.attachments_of(session(), actor(), asked.id)
    limits = bounds()
    return {
        "request": asked.id,
        "items": listed,
        "may_add": service.may_add(asked) and len(listed) < limits.most and allows(actor(), "request.attach"),
        "may_remove": service.may_remove(asked) and allows(actor(), "request.ask"),
        "most": limits.most,
        "mib": limits.mib,
        "accept": ",".join(f".{ending}" for ending in ENDINGS),
    }


def add(ref: UUID) -> Redirect:
    """Attach a file to a request"""
    try:
        made = service.add(session(), actor(), ref, files.uploaded(), bounds())
    except AttachmentRefused as refusal:
        session().rollback()
        flash(message(refusal), "bad")
    else:
        flash(_("%(name)s is attached.", name=made.name), "good")
    return redirect(local(request.form.get("next")))


def show(ref: UUID) -> Response:
    """Save a file that came with a request"""
    return files.sent(str(ref))


def remove(ref: UUID) -> Redirect:
    """Take a file away from a request"""
    service.remove(session(), actor(), ref)
    flash(_("The file is removed."), "good")
    return redirect(local(request.form.get("next")))
