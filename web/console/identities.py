"""Who comes in under an account through the identity provider, and which mailbox is told: on the page of the user."""

from uuid import UUID

from flask import Blueprint, flash, redirect, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from controlplane import accounts
from controlplane.errors import Refusal
from controlplane.policy import authorize
from controlplane.services import users
from web import errors
from web.context import actor, identity_of, session


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/users/<uuid:ref>/identity", "user_link", link, methods=["POST"])
    pages.add_url_rule("/users/<uuid:ref>/address", "user_address", set_address, methods=["POST"])
    pages.add_url_rule("/users/<uuid:ref>/identity/end", "user_unlink", unlink, methods=["POST"])


def link(ref: UUID) -> Response:
    """Link a user with somebody at the identity provider"""
    _authorize(ref)
    given = request.form.get("value", "").strip()
    by_subject = request.form.get("by") == "subject"
    try:
        identity = identity_of(given if by_subject else None, None if by_subject else given)
        name = users.link(session(), actor(), ref, identity).username
    except Refusal as refusal:
        session().rollback()
        flash(errors.message(refusal), "bad")
    else:
        flash(_("%(name)s is linked; sessions are ended.", name=name), "good")
    return redirect(url_for("console.user", ref=ref))


def unlink(ref: UUID) -> Response:
    """Unlink a user from the identity provider"""
    _authorize(ref)
    name = users.unlink(session(), actor(), ref).username
    flash(_("%(name)s is linked no more; sessions are ended.", name=name), "good")
    return redirect(url_for("console.user", ref=ref))


def set_address(ref: UUID) -> Response:
    """Set the address that a user's notifications go to"""
    accounts.user_for(session(), actor(), ref, "user.write")
    try:
        users.update(session(), actor(), ref, {"email": request.form.get("email", "").strip() or None})
    except Refusal as refusal:
        session().rollback()
        flash(errors.message(refusal), "bad")
    else:
        flash(_("The address is kept."), "good")
    return redirect(url_for("console.user", ref=ref))


def _authorize(ref: UUID) -> None:
    authorize(actor(), "role.grant")
    accounts.user_for(session(), actor(), ref, "user.write")
