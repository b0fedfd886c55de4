"""One request: how it stands, what it asks for and what came of it, and deciding on it with its impact beside."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from controlplane import lookups
from controlplane.errors import Forbidden, Refusal
from controlplane.paging import Listing
from controlplane.policy import allows, authorize
from controlplane.services import asking, deciding
from controlplane.services.asking import LONGEST_TEXT
from controlplane.services.deciding import LONGEST_COMMENT, Decision, Verdict
from web import errors
from web.act_words import event_word
from web.console import attachments, impact, progress, request_impact, request_items
from web.console.request_course import course
from web.console.things import PAGES
from web.console.vms import KIND
from web.context import actor, arrival, session
from web.register_words import request_kind
from web.request_words import rule_words

_MADE_SHOWN = 100
_EDITABLE = frozenset({"draft", "returned"})
_UNDECIDED = frozenset({"draft", "returned", "submitted", "in_review"})
SOON, LATER = 3, 20
"""Seconds between two looks at what a request made: under way, and settled."""


@dataclass(slots=True)
class Typed:
    """What was filled in and not taken: which form, what stands in it, what is wrong with which field, why not."""

    form: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    refused: impact.Refused | None = None


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/requests/<uuid:ref>", "request", show)
    for verb, view in (
        ("comment", comment),
        ("submit", submit),
        ("withdraw", withdraw),
        ("decide", decide),
        ("hand-over", hand_over),
    ):
        name = f"request_{verb.replace('-', '_')}"
        pages.add_url_rule(f"/requests/<uuid:ref>/{verb}", name, view, methods=["POST"])


def show(ref: UUID) -> str:
    """Show a request"""
    return _page(ref, Typed())


def comment(ref: UUID) -> Redirect | Response:
    """Say something of a request"""
    authorize(actor(), "request.comment")
    body = request.form.get("body", "").strip()
    if not 1 <= len(body) <= LONGEST_TEXT:
        lookups.request_for(session(), actor(), ref, "request.comment")
        words = _("Write something first.") if not body else _("At most %(most)s characters.", most=LONGEST_TEXT)
        return make_response(_page(ref, Typed(request.form, {"body": words})), 422)
    told = _("The comment was added.")
    return _done(ref, "request.comment", lambda: asking.comment(session(), actor(), ref, body), told)


def submit(ref: UUID) -> Redirect | Response:
    """Submit a draft as it is"""
    told = _("The request was submitted.")
    return _done(ref, "request.ask", lambda: asking.submit(session(), actor(), ref, arrival().now), told)


def withdraw(ref: UUID) -> Redirect | Response:
    """Take a request back"""
    told = _("The request was withdrawn; nothing is held for it any more.")
    return _done(ref, "request.ask", lambda: asking.withdraw(session(), actor(), ref, arrival().now), told)


def decide(ref: UUID) -> Redirect | Response:
    """Approve, return or refuse a request"""
    verdict, words = request.form.get("verdict", ""), request.form.get("comment", "").strip()
    problems = {}
    if verdict not in get_args(Verdict):
        problems["verdict"] = _("Choose one.")
    elif verdict != "approve" and not words:
        problems["comment"] = _("Say why, so that the asker knows what to do.")
    if len(words) > LONGEST_COMMENT:
        problems["comment"] = _("At most %(most)s characters.", most=LONGEST_COMMENT)
    if problems:
        return make_response(_page(ref, Typed(request.form, problems)), 422)
    decision = Decision(verdict, words, _version())  # type: ignore[arg-type]
    told = {
        "approve": _("You approved the request."),
        "return": _("You returned the request; nothing is held for it any more."),
        "refuse": _("You refused the request; nothing is held for it any more."),
    }[verdict]
    return _done(ref, "request.decide", lambda: deciding.decide(session(), actor(), ref, decision, arrival().now), told)


def hand_over(ref: UUID) -> Redirect | Response:
    """Have somebody else decide on a request"""
    to = request.form.get("to", "")
    if not to:
        return make_response(_page(ref, Typed(request.form, {"to": _("Choose one.")})), 422)
    told = _("The decision was handed over.")
    return _done(ref, "request.decide", lambda: deciding.hand_over(session(), actor(), ref, to, arrival().now), told)


def _done(ref: UUID, action: str, do: Callable[[], object], told: str) -> Redirect | Response:
    """Do something and lead back to the page; refused, show it with what was filled in and why.

    Raises Forbidden for those who never may.
    """
    try:
        do()
    except Refusal as refusal:
        if isinstance(refusal, Forbidden) and not allows(actor(), action):
            raise
        session().rollback()
        page = _page(ref, Typed(request.form, refused=impact.refused(refusal)))
        return make_response(page, refusal.status)
    flash(told, "good")
    return redirect(url_for("console.request", ref=ref))


def _version() -> int | None:
    text = request.form.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _page(ref: UUID, typed: Typed) -> str:
    asked = lookups.request_for(session(), actor(), ref)
    mine = asked.asked_for == (actor().user or actor().id)
    turn = deciding.turn(actor(), asked)
    mine_to_give = turn is not None and not isinstance(turn, Refusal)
    seen = request_impact.of(asked) if mine_to_give else None
    asked = lookups.request_for(session(), actor(), ref)
    words = rule_words(lambda: {r.name: r for r in lookups.routing_rules(session(), actor())})
    comments = allows(actor(), "request.comment")
    return render_template(
        "requests/show.html",
        asked=asked,
        typed=typed,
        now=arrival().now,
        kind=request_kind(asked.kind),
        steps=course(asked, words),
        entries=request_items.entries(asked),
        impact=seen,
        not_mine=errors.message(turn) if isinstance(turn, Refusal) else "",
        deciders=_deciders(asked) if mine_to_give else [],
        attached=attachments.box(asked),
        progress_link=progress.box(asked),
        comments=lookups.comments_of(session(), actor(), asked.id),
        may_comment=comments,
        may_edit=mine and asked.state in _EDITABLE and allows(actor(), "request.ask"),
        may_withdraw=mine and asked.state in _UNDECIDED and allows(actor(), "request.ask"),
        made=_made(asked),
        history=lookups.history(session(), actor(), asked.id, 100) if allows(actor(), "resource.history") else None,
        event_word=event_word,
        seconds=SOON if asked.state == "fulfilling" else LATER,
    )


def _deciders(asked: Any) -> list[tuple[str, str]]:
    found = deciding.deciders(session(), actor(), asked)
    return [(user.username, f"{user.name} ({user.username})") for user in found]


def _made(asked: Any) -> dict[str, Any]:
    """Return what came of a request, for those who see resources, and how many are in which state."""
    states = lookups.progress(session(), [asked.id])[asked.id]
    few = Listing(_MADE_SHOWN, None, "name", {"request": str(asked.id)})
    seen = states and allows(actor(), "resource.read")
    kinds = sorted({item.get("kind", KIND) for item in asked.items} & PAGES.keys()) if seen else []
    things = [thing for kind in kinds for thing in lookups.resources(session(), actor(), kind, few).items]
    whole = url_for(f"console.{PAGES[kinds[0]]}s", request=asked.id) if kinds else ""
    return {"states": states, "things": things, "whole": whole, "count": sum(states.values())}
