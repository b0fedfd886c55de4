"""Leases: what ends when, what nobody seems to use, what is on legal hold, and the policy that the sweep goes by."""

from datetime import UTC, datetime

from flask import Response

from controlplane import lookups
from controlplane.lease_stages import coming
from controlplane.options import LeasePolicy
from controlplane.services import leases as service
from web import present
from web.api.nouns import listing, noun
from web.context import actor, session
from web.lease_schemas import HoldQuery, LeaseQuery, UnusedQuery
from web.lease_shapes import LeasePage, LeasePolicyInForce
from web.schemas import WriteQuery

api = noun("leases", "/leases", "Until when resources are granted")
unused_api = noun("unused", "/unused", "Resources that nobody seems to use")
holds_api = noun("holds", "/holds", "Resources on legal hold")


@api.get("", responses={200: LeasePage})
def index(query: LeaseQuery) -> Response:
    """List what has a lease, what ends first first"""
    policy = service.policy(session(), actor())
    found = lookups.leases(session(), actor(), listing(query), datetime.now(UTC))
    return present.page(found, lambda leased: {**present.leased(leased), "next": _next(policy, leased)})


@api.get("/policy", responses={200: LeasePolicyInForce})
def show_policy() -> Response:
    """Show what becomes of a resource whose lease ends, and of one that nobody uses"""
    return present.answer(service.policy(session(), actor()).model_dump(mode="json"))


@api.put("/policy", responses={200: LeasePolicyInForce})
def set_policy(body: LeasePolicy, query: WriteQuery) -> Response:
    """Set it, for every lease from now on; a step without days is passed over"""
    return present.answer(service.set_policy(session(), actor(), body).model_dump(mode="json"))


@unused_api.get("", responses={200: LeasePage})
def unused(query: UnusedQuery) -> Response:
    """List what was stopped for long or serves no system, the longest first"""
    return present.page(lookups.unused(session(), actor(), listing(query), datetime.now(UTC)), present.leased)


@holds_api.get("", responses={200: LeasePage})
def holds(query: HoldQuery) -> Response:
    """List what is on legal hold, the newest first"""
    return present.page(lookups.holds(session(), actor(), listing(query)), present.leased)


def _next(policy: LeasePolicy, leased: present.Record) -> dict[str, str | None] | None:
    step = coming(policy, leased.lease_stage, leased.lease_stage_at, leased.lease_until)
    return {"step": step[0], "at": present.stamp(step[1])} if step and leased.hold_at is None else None


BLUEPRINTS = (api, unused_api, holds_api)
