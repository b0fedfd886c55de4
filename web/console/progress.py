"""The progress page, for whoever has a link to it; and the part of a request's page that makes such links."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, g, make_response, redirect, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from controlplane.errors import LinkNoGood
from controlplane.policy import allows
from controlplane.services import progress_links as service
from controlplane.services.progress_links import Progress
from web.console.returning import local
from web.context import actor, arrival, entrance, session
from web.language import speak
from web.published import address
from web.register_words import approval_state, request_state
from web.words import role_word


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/progress/<token>", "progress", show)
    pages.add_url_rule("/requests/<uuid:ref>/progress-link", "request_link", make, methods=["POST"])
    pages.add_url_rule("/requests/<uuid:ref>/progress-link/end", "request_unlink", revoke, methods=["POST"])


def box(asked: Any) -> dict[str, Any] | None:
    """Return what `requests/_progress_link.html` wants as `progress_link`, for a request that the reader was let have;
    None where he may not let others follow it."""
    if not allows(actor(), "request.ask"):
        return None
    link = service.link_of(asked, arrival().now)
    return {"request": asked.id, "url": address(link) if link else None, "until": link.until if link else None}


def show(token: str) -> Response:
    """Show how far a request is, to whoever has the link"""
    speak(request.args.get("lang", ""))
    try:
        found = service.progress(session(), entrance().keys, token, arrival().now)
    except LinkNoGood:
        return _page(None, 404)
    return _page(found, 200)


def make(ref: UUID) -> Redirect:
    """Make a link to a request's progress"""
    service.make(session(), actor(), ref, service.DAYS, arrival().now)
    flash(_("The link is made. Whoever has it can follow this request; links made before are good no longer."), "good")
    return redirect(local(request.form.get("next")))


def revoke(ref: UUID) -> Redirect:
    """End the link to a request's progress"""
    service.revoke(session(), actor(), ref)
    flash(_("The link is withdrawn. Nobody can follow this request by it any more."), "good")
    return redirect(local(request.form.get("next")))


def _page(found: Progress | None, status: int) -> Response:
    # The address is the secret: it must reach neither a search engine nor the next page's server.
    g.referrer_policy = "no-referrer"
    lines, state = (_lines(found), request_state(found.state)) if found else ([], None)
    page = render_template("progress.html", progress=found, lines=lines, state=state)
    answer = make_response(page, status)
    answer.headers["X-Robots-Tag"] = "noindex, nofollow"
    return answer


def _lines(found: Progress) -> list[dict[str, Any]]:
    """Return what happened and what is still to happen, in order."""
    several = len({approval.round for approval in found.approvals}) > 1
    lines: list[dict[str, Any]] = []
    for number, at in enumerate(found.submitted, 1):
        lines.append({"what": _("Submitted") if number == 1 else _("Submitted again"), "told": None, "at": at})
        for approval in (approval for approval in found.approvals if approval.round == number):
            role = role_word(approval.role)
            what = _("%(role)s, round %(number)s", role=role, number=number) if several else role
            lines.append({"what": what, "told": approval_state(approval.state), "at": approval.at})
    if found.decided_at:
        decided = "refused" if found.state == "refused" else "approved"
        lines.append({"what": _("Decided"), "told": request_state(decided), "at": found.decided_at})
    if found.done_at:
        lines.append({"what": _("Carried out"), "told": request_state("done"), "at": found.done_at})
    return lines
