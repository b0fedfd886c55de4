"""Networks that a pool made for departments, and that no subnet is recorded for any more: they go.

Nothing of ours can be on one: a subnet is removed only once none of its addresses is claimed.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import structlog
from netaddr import IPNetwork
from sqlalchemy import select

from controlplane.db import Sessions, transaction
from controlplane.models import Department, Subnet
from provisioners.contract import Rejected, TenantDriver

log = structlog.get_logger(__name__)

Ranges = set[tuple[str, str]]


@dataclass(slots=True)
class Cleared:
    """How many networks went, and of each department, by code, those that were refused to go: which, and why."""

    removed: int = 0
    refused: dict[str, tuple[str, str]] = field(default_factory=dict)


def clear(sessions: Sessions, driver: TenantDriver, departments: Collection[str]) -> Cleared:
    """Remove what a pool has of departments' own networks and the record has not, whatever the pool's policy: removing
    the subnet was the order. May raise Unreachable."""
    cleared = Cleared()
    if not departments:
        return cleared
    found = driver.networks(departments)
    # The record is read last: what was found there and is not recorded now was recorded before.
    recorded = _recorded(sessions, [code for code, ranges in found.items() if ranges])
    for code, ranges in found.items():
        for network, cidr in sorted(ranges - recorded.get(code, set())):
            try:
                driver.remove_network(code, network, cidr)
            except Rejected as refusal:
                log.warning("network refused", department=code, network=network, reason=str(refusal))
                cleared.refused[code] = f"{network} {cidr}".strip(), str(refusal)
            else:
                cleared.removed += 1
    return cleared


def _recorded(sessions: Sessions, departments: Collection[str]) -> Mapping[str, Ranges]:
    """Return the networks that departments are to have, by code: name and range, and name alone."""
    kept: dict[str, Ranges] = {}
    of = select(Department.code, Subnet.network, Subnet.cidr).join(Department, Department.id == Subnet.department_id)
    with transaction(sessions) as session:
        for code, network, cidr in session.execute(of.where(Department.code.in_(departments))):
            # As clouds write ranges: whoever made the subnet may have written it otherwise.
            kept.setdefault(code, set()).update({(network, str(IPNetwork(cidr).cidr)), (network, "")})
    return kept
