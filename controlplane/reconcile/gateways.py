"""One look at one VPN gateway and all accounts that it carries.

Who may come in is in the record, which RADIUS reads: that is decided with the order and needs no worker. What is left
is to end the tunnels of those who may no longer be in, and to let the gateway have the groups; an order is done when
that is seen to be so. However many accounts were asked for, it is one look.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import Select, or_, select, text
from sqlalchemy.orm import Session

from controlplane import audit, jobs, lifecycle
from controlplane.actor import Actor, system
from controlplane.db import Sessions, transaction
from controlplane.lifecycle import Event, State
from controlplane.models import Pool, Resource, VpnGroup
from controlplane.reconcile import recording, tunnels
from controlplane.reconcile.drivers import Drivers
from controlplane.reconcile.recording import Checked
from provisioners.contract import GatewayDriver, Rejected, TunnelGroup, Unreachable
from quotas import ledger

KINDS = frozenset({"vpn_account"})
"""Kinds of resource that a look at their pool makes as they are wanted, all at once."""
AT_ONCE = 30_000
"""Accounts that one look settles; more are left to the next."""
_MORE_LOOKS = 20
"""So often one job looks again; what is asked for after that is the next one's."""
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look came to: tunnels that were ended, whether the groups had to be set, accounts that were settled, and
    the tunnels that are left."""

    ended: int = 0
    grouped: bool = False
    settled: int = 0
    tunnels: int = 0


class _Pending(NamedTuple):
    id: UUID
    generation: int
    out: bool


def attend(sessions: Sessions, drivers: Drivers, pool: UUID, trace: str | None = None) -> int:
    """Look at a gateway, and again for whoever asked for it meanwhile; return how many accounts were settled. Who asked
    and was not served is served by the next job.

    Raises Unreachable, Rejected.
    """
    settled = check(sessions, drivers, pool, trace).settled
    for _ in range(_MORE_LOOKS):
        with transaction(sessions) as session:
            asked = jobs.take_over(session, pool)
        if not asked:
            break
        try:
            settled += check(sessions, drivers, pool, trace).settled
        except Exception:
            # They asked for a look of their own, which may go better than this one.
            with transaction(sessions) as session:
                jobs.enqueue_pool(session, pool, trace)
            raise
    return settled


def check(sessions: Sessions, drivers: Drivers, pool: UUID, trace: str | None = None) -> Looked:
    """Look at a gateway and write down how that went. Raises Unreachable, Rejected."""
    try:
        looked = look(sessions, drivers, pool, trace)
    except (Unreachable, Rejected) as error:
        with transaction(sessions) as session:
            recording.checked(session, [Checked(pool, trouble=str(error))])
        raise
    with transaction(sessions) as session:
        recording.checked(session, [Checked(pool, looked.tunnels)])
    return looked


def look(sessions: Sessions, drivers: Drivers, pool: UUID, trace: str | None = None) -> Looked:
    """Make a gateway and its accounts as they are wanted. May raise Unreachable, Rejected; what was done by then stays.

    Those who are to be out come first: they need nothing of the groups. Their tunnels are looked at again later, as one
    may come up right now.
    """
    with transaction(sessions) as session:
        gateway = session.get(Pool, pool)
        if gateway is None:
            return Looked()
        pending = [_Pending(*row) for row in session.execute(_in_transition(pool))]
        wanted = _groups(session, pool)
    driver = drivers.gateway(gateway.id, gateway.driver, gateway.connection)
    actor = system("worker", trace)
    ended, left = tunnels.end_unwanted(sessions, driver, gateway)
    out = [one for one in pending if one.out]
    settled = _settle(sessions, actor, out)
    with transaction(sessions) as session:
        jobs.enqueue_tunnels(session, pool, tunnels.AGAIN_SECONDS, trace)
    grouped = _set_groups(driver, wanted)
    if grouped:
        log.info("groups set", pool=gateway.code, groups=len(wanted))
        with transaction(sessions) as session:
            audit.record(session, actor, [_configured(gateway, wanted)])
    settled += _settle(sessions, actor, [one for one in pending if not one.out])
    if len(pending) == AT_ONCE:
        with transaction(sessions) as session:
            jobs.enqueue_pool(session, pool, trace)
    return Looked(ended, grouped, settled, left)


def put_off(sessions: Sessions, pool: UUID, reason: str, until: datetime | None) -> None:
    """Say on all accounts that wait for a gateway why, and when it is tried again. It is no change of theirs."""
    with transaction(sessions) as session:
        session.execute(_PUT_OFF, {"pool": pool, "reason": reason, "until": until, "states": _TRANSITION})


def _in_transition(pool: UUID) -> Select[UUID, int, bool]:
    waiting = (Resource.pool_id == pool) & Resource.state.in_(lifecycle.IN_TRANSITION)
    out = or_(Resource.desired == "absent", Resource.wanted["power"].astext == "off")
    return select(Resource.id, Resource.generation, out).where(waiting).order_by(Resource.id).limit(AT_ONCE)


def _groups(session: Session, pool: UUID) -> frozenset[TunnelGroup]:
    found = session.scalars(select(VpnGroup).where(VpnGroup.pool_id == pool))
    return frozenset(
        TunnelGroup(
            name=group.name,
            cidr=group.cidr,
            networks=tuple(sorted(group.networks)),
            session_seconds=group.session_minutes * 60,
            idle_seconds=group.idle_minutes * 60,
            down_kbit=group.down_kbit,
            up_kbit=group.up_kbit,
        )
        for group in found
    )


def _set_groups(driver: GatewayDriver, wanted: frozenset[TunnelGroup]) -> bool:
    """Let the gateway have the groups where it has others, and look whether it has; tell whether it had others."""
    if driver.groups() == wanted:
        return False
    driver.set_groups(wanted)
    found = driver.groups()
    if found != wanted:
        differing = ", ".join(sorted({group.name for group in found ^ wanted}))
        raise Rejected("gateway.not_as_ordered", f"after its groups were set they are still otherwise: {differing}")
    return True


def _settle(sessions: Sessions, actor: Actor, pending: Sequence[_Pending]) -> int:
    """Record that orders are done that nobody has followed by another; return how many."""
    if not pending:
        return 0
    with transaction(sessions) as session:
        at = {one.id: one.generation for one in pending}
        rows = session.execute(_LOCKED, {"ids": list(at)}).all()
        current = [row for row in rows if row.generation == at[row.id]]
        by_state: defaultdict[State, list[UUID]] = defaultdict(list)
        for row in current:
            by_state[lifecycle.move(row.state, _event(row.desired, row.power))].append(row.id)
        for state, ids in by_state.items():
            session.execute(_SETTLED, {"state": state, "ids": ids, "gone": state == "deleted"})
        gone = by_state.get("deleted", [])
        if gone:
            session.execute(_FORGOTTEN, {"ids": gone})
            ledger.release(session, gone)
        states = {id_: state for state, ids in by_state.items() for id_ in ids}
        acts = [
            audit.Act(f"{row.kind}.{states[row.id]}", row.kind, row.id, row.name, row.department_id) for row in current
        ]
        audit.record(session, actor, acts)
    return len(current)


def _event(desired: str, power: str) -> Event:
    if desired == "absent":
        return "gone"
    return "settled_on" if power == "on" else "settled_off"


def _configured(gateway: Pool, groups: frozenset[TunnelGroup]) -> audit.Act:
    details = {"groups": sorted(group.name for group in groups)}
    return audit.Act("pool.configure", "pool", gateway.id, gateway.name, None, details)


_TRANSITION = sorted(lifecycle.IN_TRANSITION)

_LOCKED = text("""
    SELECT id, generation, state, desired, wanted ->> 'power' AS power, kind, name, department_id FROM resources
    WHERE id = ANY(:ids) AND deleted_at IS NULL ORDER BY id FOR UPDATE
""")

_SETTLED = text("""
    UPDATE resources
    SET state = :state, observed_generation = generation, observed_at = now(), version = version + 1,
        fault_code = NULL, fault_detail = NULL, waiting_reason = NULL, next_try_at = NULL,
        deleted_at = CASE WHEN :gone THEN now() END, updated_at = now()
    WHERE id = ANY(:ids)
""")

_FORGOTTEN = text("DELETE FROM vpn_accounts WHERE resource_id = ANY(:ids)")

_PUT_OFF = text("""
    UPDATE resources SET waiting_reason = :reason, next_try_at = :until
    WHERE pool_id = :pool AND state = ANY(:states)
""")
