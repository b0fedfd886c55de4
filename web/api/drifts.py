"""Drift: what exists and is not what was recorded."""

from flask import Response, url_for

from controlplane import lookups
from controlplane.services import drift as service
from web import present
from web.api.nouns import listing, noun
from web.context import actor, session, version
from web.schemas import CheckBody, DriftQuery, IdPath, VmAdoption, WriteQuery
from web.shapes import Checking, Drift, DriftPage, Vm

api = noun("drifts", "/drifts", "Machines that are not as they are recorded")


@api.get("", responses={200: DriftPage})
def index(query: DriftQuery) -> Response:
    """List findings, newest first"""
    return present.page(lookups.drifts(session(), actor(), listing(query)), present.drift)


@api.post("/check", responses={202: Checking})
def check(body: CheckBody, query: WriteQuery) -> Response:
    """Have a worker look at one pool, or at all, now"""
    job = service.check(session(), actor(), body.pool)
    made = present.answer({"job": job, "pool": body.pool}, 202)
    made.headers["Location"] = url_for("drifts.checks")
    return made


@api.get("/checks")
def checks() -> Response:
    """Show when each pool was last looked at, and why one could not be"""
    return present.answer({"items": [present.check(c) for c in lookups.pool_checks(session(), actor())]})


@api.get("/<ref>", responses={200: Drift})
def show(path: IdPath) -> Response:
    """Show a finding"""
    found = lookups.drift_for(session(), actor(), path.ref)
    return present.answer(present.drift(found), version=found.version)


@api.post("/<ref>/repair", responses={202: Drift})
def repair(path: IdPath, query: WriteQuery) -> Response:
    """Make it as recorded; what is recorded as deleted is removed"""
    found = service.repair(session(), actor(), path.ref, version())
    return present.answer(present.drift(found), 202, version=found.version)


@api.post("/<ref>/accept", responses={202: Drift})
def accept(path: IdPath, query: WriteQuery) -> Response:
    """Record it as it is; what is missing is recorded as deleted"""
    found = service.accept(session(), actor(), path.ref, version())
    return present.answer(present.drift(found), 202, version=found.version)


@api.post("/<ref>/adopt", responses={202: Vm})
def adopt(path: IdPath, body: VmAdoption, query: WriteQuery) -> Response:
    """Make a machine that nobody recorded a VM of a department, as it is"""
    made = service.adopt(session(), actor(), path.ref, body, version())
    vm = lookups.resource_for(session(), actor(), made.kind, made.id)
    return present.created(present.vm(vm, with_pool=True), "/vms", vm, 202)
