"""The inbox: what somebody was told, newest first."""

from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from controlplane.policy import authorize
from controlplane.services import notifications as service
from controlplane.telling.events import link_to, words
from web.console.lists import Column, Filter, Table, file, shown
from web.console.returning import local
from web.context import actor, arrival, session
from web.language import language

_LONGEST_ID = 18


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/notifications", "notifications", index)
    pages.add_url_rule("/notifications.csv", "notifications_csv", export)
    pages.add_url_rule("/notifications/read", "notifications_read", read, methods=["POST"])


def index() -> str:
    """Show the inbox"""
    return render_template("notifications.html", list=shown(_table()), said=_said, link=_link)


def export() -> Response:
    """Give the inbox as a file"""
    return file(_table())


def read() -> Redirect:
    """Mark one notification, or all, as read"""
    authorize(actor(), "account.own")
    given = request.form.get("id", "")
    one = given.isascii() and given.isdigit() and len(given) <= _LONGEST_ID
    marked = service.read(session(), actor(), [int(given)] if one else [] if given else None, arrival().now)
    if not given:
        flash(_("%(count)s notifications are marked as read.", count=marked), "good")
    return redirect(local(request.form.get("next"), url_for("console.notifications")))


def _said(line: Any) -> Any:
    return words(line.event, line.params, "en" if language() == "en" else "zh")


def _link(line: Any) -> str | None:
    """Return the address of the page of what a line is about."""
    about = line.request_id or line.resource_id
    return request.script_root + link_to(line.request_id, line.resource_id) if about else None


def _table() -> Table:
    return Table(
        id="notifications",
        label=_("Notifications"),
        endpoint="console.notifications",
        sort="-at",
        columns=[
            Column("subject", _("Subject"), lambda line: _said(line).subject),
            Column("text", _("What happened"), lambda line: _said(line).text),
            Column("at", _("Time"), lambda line: line.at, sortable=True),
            Column("read", _("Read"), lambda line: line.read_at),
        ],
        filters=[Filter("unread", _("State"), [("true", _("Unread"))])],
        fetch=lambda listing: service.listed(session(), actor(), listing),
        more_filters=(),
        nothing={
            "title": _("Nothing was told to you yet"),
            "advice": _("What waits for you, and what becomes of your requests, is told here."),
            "url": None,
            "action": None,
        },
    )
