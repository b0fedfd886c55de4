"""Ending a tunnel without keeping anybody out."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from controlplane import audit, jobs, lookups
from controlplane.actor import Actor
from controlplane.errors import NotNow
from controlplane.models import Pool, VpnSession


def disconnect(session: Session, actor: Actor, ref: str | int, now: datetime) -> VpnSession:
    """Order that a tunnel ends; its gateway is looked at at once. Raises NotFound, NotNow."""
    tunnel = lookups.vpn_session_for(session, actor, ref, "resource.operate", lock=True)
    if tunnel.stopped is not None:
        raise NotNow(name=tunnel.username, state="over", verb="disconnect", when="up")
    tunnel.end_ordered_at = now
    session.flush()
    if tunnel.resource_id is not None:
        details = {"session": tunnel.session_id, "address": tunnel.address and str(tunnel.address)}
        name = tunnel.username
        act = audit.Act(
            "vpn_account.disconnect", "vpn_account", tunnel.resource_id, name, tunnel.department_id, details
        )
        audit.record(session, actor, [act])
    jobs.enqueue_pools(session, session.scalars(select(Pool.id).where(Pool.code == tunnel.gateway)), actor.trace)
    return tunnel
