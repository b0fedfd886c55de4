"""Leases by hand: setting their ends, keeping what seems unused, legal holds, and the policy that the sweep goes by."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from controlplane import audit, changes, jobs, leases, lookups
from controlplane.actor import Actor
from controlplane.errors import Invalid, NotNow, Stale
from controlplane.lease_stages import AHEAD
from controlplane.models import Resource
from controlplane.options import LeasePolicy, option, set_option
from controlplane.policy import authorize

LONGEST_REASON = 1000


@dataclass(frozen=True, slots=True)
class Which:
    """The resource that an order is about. `version`: refuse if it is no longer at it."""

    kind: str
    ref: str | UUID
    version: int | None = None


def set_lease(
    session: Session, actor: Actor, which: Which, ends: Mapping[str, datetime | None], now: datetime
) -> Resource:
    """Set when a resource is to be given back (`lease_until`), when what it is for ends (`contract_end`), or both;
    None takes an end away, and what is left out stays.

    A lease that is set begins its way anew; what its end had stopped is started again, and what was to be deleted is
    kept, until a driver began with that. Raises NotFound, Forbidden, Stale, Invalid, NotNow, TooLate.
    """
    resource = _locked(session, actor, which, "lease.write")
    if not ends:
        raise Invalid(field="lease_until", reason="say lease_until, contract_end, or both")
    acts: list[audit.Act] = []
    for field, moment in ends.items():
        if moment is not None and moment <= now:
            raise Invalid(field=field, reason="must be later than now")
    if "lease_until" in ends:
        acts += leases.grant(session, resource, ends["lease_until"])
        jobs.enqueue(session, [resource.id], actor.trace)
    if "contract_end" in ends:
        acts.append(changes.said(resource, "contract", {"after": _plain(ends["contract_end"])}))
        resource.contract_end, resource.contract_warned = ends["contract_end"], None
        resource.version += 1
    audit.record(session, actor, acts)
    session.flush()
    return resource


def keep(session: Session, actor: Actor, which: Which, now: datetime) -> Resource:
    """Answer for a department that what seems unused is still needed. Raises NotFound, Forbidden, Stale, NotNow."""
    resource = _locked(session, actor, which, "lease.keep")
    if resource.desired == "absent" or resource.lease_stage not in AHEAD:
        raise NotNow(name=resource.name, state=resource.lease_stage, verb="keep", when="granted")
    resource.kept_until = now + timedelta(days=option(session, LeasePolicy).keep_days)
    resource.unused_asked_at = resource.unused_answer_by = None
    return _changed(session, actor, resource, changes.said(resource, "keep", {"until": _plain(resource.kept_until)}))


def hold(session: Session, actor: Actor, which: Which, reason: str, now: datetime) -> Resource:
    """Put a resource on legal hold: nothing of it is stopped, rebuilt or deleted while that stands, and a deletion that
    no driver began with is taken back. Raises NotFound, Forbidden, Stale, Invalid, TooLate."""
    resource = _locked(session, actor, which, "lease.hold")
    reason = reason.strip()
    if not 1 <= len(reason) <= LONGEST_REASON:
        raise Invalid(field="reason", reason=f"say why, in at most {LONGEST_REASON} characters")
    if resource.desired == "absent":
        changes.want_kept(resource)
        if resource.lease_stage == "deleting":
            resource.lease_stage, resource.lease_stage_at = "quarantined", now
        jobs.enqueue(session, [resource.id], actor.trace)
    resource.hold_reason, resource.hold_by, resource.hold_at = reason, actor.name, now
    return _changed(session, actor, resource, changes.said(resource, "hold", {"reason": reason}))


def lift(session: Session, actor: Actor, which: Which, now: datetime) -> Resource:
    """Lift a legal hold. The stage that a lease which is over stands in begins anew.

    Raises NotFound, Forbidden, Stale, NotNow.
    """
    resource = _locked(session, actor, which, "lease.hold")
    if resource.hold_at is None:
        raise NotNow(name=resource.name, state="not on hold", verb="lift", when="on hold")
    details = {"reason": resource.hold_reason, "since": _plain(resource.hold_at)}
    resource.hold_reason = resource.hold_by = resource.hold_at = None
    if resource.lease_stage not in AHEAD:
        resource.lease_stage_at = now
    return _changed(session, actor, resource, changes.said(resource, "lift", details))


def policy(session: Session, actor: Actor, action: str = "resource.read") -> LeasePolicy:
    """Return what the sweep goes by. Raises Forbidden."""
    authorize(actor, action)
    return option(session, LeasePolicy)


def set_policy(session: Session, actor: Actor, wanted: LeasePolicy) -> LeasePolicy:
    """Set what the sweep goes by from now on. Raises Forbidden."""
    before = policy(session, actor, "lease.write")
    set_option(session, actor, wanted)
    details = {"before": before.model_dump(mode="json"), "after": wanted.model_dump(mode="json")}
    audit.record(session, actor, [audit.Act("centre.set_leases", "centre", UUID(int=0), "leases", None, details)])
    return wanted


def _changed(session: Session, actor: Actor, resource: Resource, act: audit.Act) -> Resource:
    resource.version += 1
    audit.record(session, actor, [act])
    session.flush()
    return resource


def _locked(session: Session, actor: Actor, which: Which, action: str) -> Resource:
    resource = lookups.resource_for(session, actor, which.kind, which.ref, action, lock=True)
    if which.version is not None and which.version != resource.version:
        raise Stale
    return resource


def _plain(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
