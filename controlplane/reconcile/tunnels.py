"""The tunnels of one gateway: which may be up, the end of those that may not, and the record of those that are gone.

Who was let in just before he was put out has a tunnel only after the look that was to end it; who was off the network
at that moment comes back with what his client still knows. So tunnels are looked at again soon, and once more later.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import func, or_, select, text
from sqlalchemy.orm import Session

from controlplane import jobs
from controlplane.db import Sessions, transaction
from controlplane.models import Pool, Resource, VpnAccount, VpnGroup
from controlplane.reconcile.drivers import Drivers
from provisioners.contract import GatewayDriver, Rejected, Tunnel, Unreachable

SETTLING_SECONDS = 5
"""What RADIUS wrote so shortly before the gateway was asked may be of a tunnel that is not up yet."""
AGAIN_SECONDS = (5, 65)
"""When tunnels are looked at again after a look: when those that were on their way are up, and when a client that was
away has forgotten (`ocserv_cookie_seconds`) what it came in with."""
CLOCKS_APART_SECONDS = 90
"""How far behind a gateway may say that a tunnel came up before it looks older than its password: its clock may be, and
ocserv tells the minute alone. What RADIUS told of ends to the second, by an order of its own."""

log = structlog.get_logger(__name__)


class _Allowed(NamedTuple):
    group: str
    sessions: int
    issued: float

    def lets(self, tunnel: Tunnel) -> bool:
        return tunnel.group == self.group and tunnel.since > self.issued - CLOCKS_APART_SECONDS


def look_again(sessions: Sessions, drivers: Drivers, pool: UUID, trace: str | None = None) -> int:
    """End what may not be up, and no more: one question, where nothing is to be ended. Return how many tunnels were.

    A gateway that does not answer is left to a whole look, which waits for it and says so.
    """
    with transaction(sessions) as session:
        gateway = session.get(Pool, pool)
    if gateway is None:
        return 0
    try:
        driver = drivers.gateway(gateway.id, gateway.driver, gateway.connection)
        return end_unwanted(sessions, driver, gateway)[0]
    except (Unreachable, Rejected) as error:
        log.warning("tunnels not seen", pool=gateway.code, reason=str(error))
        with transaction(sessions) as session:
            jobs.enqueue_pool(session, pool, trace)
        return 0


def end_unwanted(sessions: Sessions, driver: GatewayDriver, gateway: Pool) -> tuple[int, int]:
    """End every tunnel that may not be up, and close the record of those that are not; return how many were ended and
    how many are left. May raise Unreachable, Rejected."""
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
        _close(session, gateway.code, left, asked)
    return len(ended), len(left)


def _allowed(session: Session, pool: UUID, usernames: Collection[str]) -> dict[str, _Allowed]:
    """Return who of these may be in at a gateway: in which group, how often, and since when with their password; of
    those alone whom RADIUS let in by it."""
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
            # Who has not come in since he was handed his password is in by an older one, or by a cookie of it.
            VpnAccount.last_login_at >= VpnAccount.issued_at,
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


def _close(session: Session, gateway: str, tunnels: Sequence[Tunnel], asked: datetime) -> None:
    """Close the record of every session that the gateway did not name when it was asked.

    Gateways tell RADIUS of a session by the same id as they name it by here; its address they tell a minute late.
    """
    up = [tunnel.session for tunnel in tunnels]
    session.execute(_CLOSE, {"gateway": gateway, "asked": asked, "settling": SETTLING_SECONDS, "up": up})


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
