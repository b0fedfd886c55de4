"""Requests: what departments ask for, who decides on it, and how far it is."""

from datetime import UTC, datetime

from flask import Response

from controlplane import lookups, vpn_rows
from controlplane.policy import allows
from controlplane.services import asking, deciding
from controlplane.services.asking import Drafted
from controlplane.services.deciding import Decision, Verdict
from web import present
from web.api.nouns import listing, noun
from web.context import actor, entrance, own_department, session, version
from web.request_schemas import (
    CommentBody,
    DecisionBody,
    HandOverBody,
    InboxQuery,
    RequestBody,
    RequestChange,
    RequestQuery,
)
from web.schemas import IdPath, WriteQuery
from web.shapes import InboxPage, InFull, Problem, Remark, RequestPage, WhatItDoes

api = noun("requests", "/requests", "Asks of departments")


@api.get("", responses={200: RequestPage})
def index(query: RequestQuery) -> Response:
    """List requests"""
    found = lookups.requests(session(), actor(), listing(query))
    progress = lookups.progress(session(), [r.id for r in found.items])
    return present.page(found, lambda r: present.asked(r, progress[r.id]))


@api.post("", responses={201: InFull})
def create(body: RequestBody, query: WriteQuery) -> Response:
    """Draft a request, or hand it in at once"""
    of = own_department(body.department)
    items = [item.model_dump(mode="json", by_alias=True) for item in body.items]
    sealed = vpn_rows.sealed_items(session(), actor(), entrance().keys, of, items)
    drafted = asking.draft(session(), actor(), of, Drafted(body.title, body.reason, sealed))
    if body.submit:
        asking.submit(session(), actor(), drafted.id, _now())
    return present.created(_in_full(drafted.id), "/requests", drafted)


@api.get("/inbox", responses={200: InboxPage})
def inbox(query: InboxQuery) -> Response:
    """List the approvals that wait for you, what is due first first"""
    return present.page(lookups.inbox(session(), actor(), listing(query)), present.waiting)


@api.get("/<ref>", responses={200: InFull})
def show(path: IdPath) -> Response:
    """Show a request with its approvals and the states of what it made"""
    return _answer(path.ref)


@api.patch("/<ref>", responses={200: InFull})
def amend(path: IdPath, body: RequestChange, query: WriteQuery) -> Response:
    """Change your own draft, or what was returned to you"""
    changed = body.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if "items" in changed:
        of = lookups.request_for(session(), actor(), path.ref, "request.ask").department_id
        changed["items"] = vpn_rows.sealed_items(session(), actor(), entrance().keys, of, changed["items"])
    asking.amend(session(), actor(), path.ref, changed, version())
    return _answer(path.ref)


@api.post("/<ref>/submit", responses={200: InFull})
def submit(path: IdPath, query: WriteQuery) -> Response:
    """Hand your request in: what it would take is held until it is decided"""
    asking.submit(session(), actor(), path.ref, _now(), version())
    return _answer(path.ref)


@api.post("/<ref>/withdraw", responses={200: InFull})
def withdraw(path: IdPath, query: WriteQuery) -> Response:
    """Take your request back"""
    asking.withdraw(session(), actor(), path.ref, _now(), version())
    return _answer(path.ref)


@api.get("/<ref>/impact", responses={200: WhatItDoes, 409: Problem})
def impact(path: IdPath) -> Response:
    """Show what granting it would do now; nothing is done"""
    seen = deciding.impact(session(), actor(), path.ref)
    return present.answer(present.impact(seen, with_pool=allows(actor(), "pool.read")))


@api.post("/<ref>/approve", responses={200: InFull})
def approve(path: IdPath, body: DecisionBody, query: WriteQuery) -> Response:
    """Approve it; the last approval carries it out"""
    return _decide(path, "approve", body)


@api.post("/<ref>/return", responses={200: InFull})
def give_back(path: IdPath, body: DecisionBody, query: WriteQuery) -> Response:
    """Return it to be changed"""
    return _decide(path, "return", body)


@api.post("/<ref>/refuse", responses={200: InFull})
def refuse(path: IdPath, body: DecisionBody, query: WriteQuery) -> Response:
    """Refuse it for good"""
    return _decide(path, "refuse", body)


@api.post("/<ref>/hand-over", responses={200: InFull})
def hand_over(path: IdPath, body: HandOverBody, query: WriteQuery) -> Response:
    """Have somebody else give an approval that is yours to give"""
    deciding.hand_over(session(), actor(), path.ref, body.to, _now())
    return _answer(path.ref)


@api.get("/<ref>/comments")
def comments(path: IdPath) -> Response:
    """What was said of it, the oldest first"""
    found = lookups.request_for(session(), actor(), path.ref)
    said = lookups.comments_of(session(), actor(), found.id)
    return present.answer({"items": [present.remark(c) for c in said]})


@api.post("/<ref>/comments", responses={201: Remark})
def comment(path: IdPath, body: CommentBody, query: WriteQuery) -> Response:
    """Say something of it"""
    return present.answer(present.remark(asking.comment(session(), actor(), path.ref, body.body)), 201)


def _decide(path: IdPath, verdict: Verdict, body: DecisionBody) -> Response:
    deciding.decide(session(), actor(), path.ref, Decision(verdict, body.comment, version()), _now())
    return _answer(path.ref)


def _in_full(ref: present.Record) -> dict[str, present.Record]:
    found = lookups.request_for(session(), actor(), ref)
    return present.request_in_full(found, lookups.progress(session(), [found.id])[found.id])


def _answer(ref: str) -> Response:
    shown = _in_full(ref)
    return present.answer(shown, version=shown["version"])


def _now() -> datetime:
    return datetime.now(UTC)
