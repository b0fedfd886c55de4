"""One look at one VPN gateway and all accounts that it carries.

Who may come in is in the record, which RADIUS reads: that is decided with the order and needs no worker. What is left
is to end the tunnels of those who may no longer be in, and to let the gateway have the groups; an order is done when
that is seen to be so. However many accounts were asked for, it is one look.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import Select, func, or_, select, text
from sqlalchemy.orm import Session

from controlplane import audit, jobs, lifecycle
from controlplane.actor import Actor, system
from controlplane.db import Sessions, transaction
from controlplane.lifecycle import Event, State
from controlplane.models import Pool, Resource, VpnAccount, VpnGroup
from controlplane.reconcile import recording
from controlplane.reconcile.drivers import Drivers
from controlplane.reconcile.recording import Checked
from provisioners.contract import GatewayDriver, Rejected, Tunnel, TunnelGroup, Unreachable
from quotas import ledger

KINDS = frozenset({"vpn_account"})
"""Kinds of resource that a look at their pool makes as they are wanted, all at once."""
AT_ONCE = 30_000
"""Accounts that one look settles; more are left to the next."""
SETTLING_SECONDS = 5
"""What RADIUS wrote so shortly before the gateway was asked may be of a tunnel that is not up yet."""
_MORE_LOOKS = 20
"""So often one job looks again; what is asked for after that is the next one's."""
CLOCKS_APART_SECONDS = 90
"""How far behind a gateway may say that a tunnel came up before it looks older than its password: its clock may be, and
ocserv tells the minute alone. What RADIUS told of ends to the second, by an order of its own."""

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


class _Allowed(NamedTuple):
    group: str
    sessions: int
    issued: float

    def lets(self, tunnel: Tunnel) -> bool:
        return tunnel.group == self.group and tunnel.since > self.issued - CLOCKS_APART_SECONDS


def attend(sessions: Sessions, drivers: Drivers, pool: UUID, trace: str | None = None) -> int:
    """Look at a gateway, and again for whoever asked for it meanwhile; return how many accounts were settled.

    Raises Unreachable, Rejected.
    """
    settled = check(sessions, drivers, pool, trace).settled
    for _ in range(_MORE_LOOKS):
        with transaction(sessions) as session:
            asked = jobs.take_over(session, pool)
        if not asked:
            break
        settled += check(sessions, drivers, pool, trace).settled
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

    Those who are to be out come first: they need nothing of the groups.
    """
    with transaction(sessions) as session:
        gateway = session.get(Pool, pool)
        if gateway is None:
            return Looked()
        pending = [_Pending(*row) for row in session.execute(_in_transition(pool))]
        wanted = _groups(session, pool)
    driver = drivers.gateway(gateway.id, gateway.driver, gateway.connection)
    actor = system("worker", trace)
    ended, left = _end_tunnels(sessions, driver, gateway)
    out = [one for one in pending if one.out]
    settled = _settle(sessions, actor, out)
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


def _end_tunnels(sessions: Sessions, driver: GatewayDriver, gateway: Pool) -> tuple[int, int]:
    """End every tunnel that may not be up, and close the record of those that are not; return how many were ended and
    how many are left."""
    asked = datetime.now(UTC)
    tunnels = driver.tunnels()
    with transaction(sessions) as session:
        allowed = _allowed(session, gateway.id, {tunnel.username for tunnel in tunnels})
        told = session.execute(_TOLD, {"gateway": gateway.code}).all()
    # A gateway may tell the minute alone, and of several tunnels of one minute one is the newest.
    started = {row.session_id: row.started for row in told}
    tunnels = [replace(tunnel, since=started.get(tunnel.session, tunnel.since)) for tunnel in tunnels]
    ordered = {row.session_id for row in told if row.ending}
    unwanted = _unwanted([tunnel for tunnel in tunnels if tunnel.session not in ordered], allowed)
    unwanted += [tunnel for tunnel in tunnels if tunnel.session in ordered]
    if unwanted:
        log.info("ending tunnels", pool=gateway.code, users=sorted({tunnel.username for tunnel in unwanted}))
        driver.disconnect([tunnel.session for tunnel in unwanted])
    ended = {tunnel.session for tunnel in unwanted}
    left = [tunnel for tunnel in tunnels if tunnel.session not in ended]
    with transaction(sessions) as session:
        _close_sessions(session, gateway.code, left, asked)
    return len(ended), len(left)


def _allowed(session: Session, pool: UUID, usernames: Collection[str]) -> dict[str, _Allowed]:
    """Return who of these may be in at a gateway: in which group, how often, and since when with their password."""
    of_system = VpnGroup.system_id.is_not_distinct_from(Resource.system_id)
    most = func.coalesce(Resource.wanted["max_sessions"].as_integer(), 1)
    rows = session.execute(
        select(VpnAccount.username, VpnGroup.name, most, VpnAccount.issued_at)
        .join(Resource, Resource.id == VpnAccount.resource_id)
        .join(
            VpnGroup,
            (VpnGroup.pool_id == Resource.pool_id) & (VpnGroup.department_id == Resource.department_id) & of_system,
        )
        .where(
            VpnAccount.username == func.any(list(usernames)),
            Resource.pool_id == pool,
            Resource.desired == "present",
            Resource.wanted["power"].astext == "on",
            VpnAccount.issued_at.is_not(None),
            or_(Resource.lease_until.is_(None), Resource.lease_until > func.now()),
        )
    )
    return {username: _Allowed(group, most, issued.timestamp()) for username, group, most, issued in rows}


def _unwanted(tunnels: Iterable[Tunnel], allowed: dict[str, _Allowed]) -> list[Tunnel]:
    """Return the tunnels of those who may not be in, or in another group, of those who are in too often the newest,
    and those that an older password let in."""
    unwanted: list[Tunnel] = []
    up: defaultdict[str, int] = defaultdict(int)
    for tunnel in sorted(tunnels, key=lambda tunnel: tunnel.since):
        may = allowed.get(tunnel.username)
        if may and may.lets(tunnel) and up[tunnel.username] < may.sessions:
            up[tunnel.username] += 1
        else:
            unwanted.append(tunnel)
    return unwanted


def _close_sessions(session: Session, gateway: str, tunnels: Sequence[Tunnel], asked: datetime) -> None:
    """Close the record of every session that the gateway did not name when it was asked.

    Gateways tell RADIUS of a session by the same id as they name it by here; its address they tell a minute late.
    """
    up = [tunnel.session for tunnel in tunnels]
    session.execute(_CLOSE, {"gateway": gateway, "asked": asked, "settling": SETTLING_SECONDS, "up": up})


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

_TOLD = text("""
    SELECT session_id, extract(epoch FROM started)::double precision AS started, end_ordered_at IS NOT NULL AS ending
    FROM vpn_sessions WHERE gateway = :gateway AND stopped IS NULL
""")

_CLOSE = text("""
    UPDATE vpn_sessions s SET stopped = s.updated, cause = 'Lost-Carrier'
    WHERE s.gateway = :gateway AND s.stopped IS NULL
    AND s.updated < CAST(:asked AS timestamptz) - make_interval(secs => :settling)
    AND s.session_id <> ALL(:up)
""")
