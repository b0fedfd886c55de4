"""What departments used of the VPN in a period: accounts by the ledger, tunnels by what RADIUS was told of them.

A tunnel that was up beyond the period counts with the part of its time that falls in it, and with the same part of its
bytes: gateways tell totals, not when they flowed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from controlplane.actor import Actor
from controlplane.errors import Invalid
from controlplane.models import Department
from controlplane.policy import authorize
from quotas import metering

HOURS_A_MONTH = 730
"""What a month has in prices by the hour, as clouds bill it: a twelfth of 365 days."""
_NO_TUNNEL: tuple[int, int, float, float, float] = (0, 0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class VpnUsage:
    """What one department used. Hours and GiB are of its tunnels; `gib_sent` went from its people to the gateway,
    `gib_received` the other way. `people` are the accounts that were in at least once."""

    department: str
    department_name: str
    account_hours: float
    account_months: float
    people: int
    tunnels: int
    hours: float
    gib_sent: float
    gib_received: float


def vpn_usage(session: Session, actor: Actor, start: datetime, end: datetime) -> list[VpnUsage]:
    """Return the use from `start` to before `end` of each department that had any, by code. Raises Forbidden, Invalid.

    What lies ahead is not used yet: of a period that is not over it is what was used until now.
    """
    authorize(actor, "centre.read")
    if start >= end:
        raise Invalid(field="to", reason="must be later than from")
    period: Mapping[str, Any] = {"start": start, "end": end}
    until = session.scalars(text("SELECT least(CAST(:end AS timestamptz), now())"), period).one()
    hours = metering.hours_by_origin(session, "vpn_account", start, until) if start < until else {}
    tunnels: dict[UUID, tuple[Any, ...]] = {row[0]: tuple(row[1:]) for row in session.execute(_TUNNELS, period)}
    statement = select(Department.id, Department.code, Department.name).order_by(Department.code)
    return [
        VpnUsage(code, name, of, of / HOURS_A_MONTH, *tunnels.get(id_, _NO_TUNNEL))
        for id_, code, name in session.execute(statement.where(Department.id.in_({*hours, *tunnels})))
        for of in [hours.get(id_, 0.0)]
    ]


# No tunnel lasts longer than a group may let it, seven days; the eighth is for what ends late.
_TUNNELS = text("""
    WITH told AS (
        SELECT department_id, username, bytes_in, bytes_out, started, coalesce(stopped, updated) AS ended
        FROM vpn_sessions
        WHERE started < :end AND started >= CAST(:start AS timestamptz) - interval '8 days'
        AND coalesce(stopped, updated) > :start AND department_id IS NOT NULL
    ), shared AS (
        SELECT department_id, username, bytes_in, bytes_out,
               extract(epoch FROM least(ended, :end) - greatest(started, :start))::float8 AS seconds,
               CASE WHEN ended > started
                    THEN extract(epoch FROM least(ended, :end) - greatest(started, :start))::float8
                         / extract(epoch FROM ended - started)::float8
                    ELSE 1 END AS share
        FROM told
    )
    SELECT department_id, count(DISTINCT username), count(*), sum(seconds) / 3600,
           sum(bytes_in * share) / 1073741824, sum(bytes_out * share) / 1073741824
    FROM shared GROUP BY department_id
""")
