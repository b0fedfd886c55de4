"""A small centre with a VPN gateway, and accounts at it, made through the services."""

from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from controlplane.entrance import Entrance
from controlplane.persons import Person
from controlplane.reconcile import gateways
from controlplane.secrets import Keys
from controlplane.services import departments, pools, vpn_groups
from controlplane.services.pools import Capacity
from controlplane.services.vpn_groups import NewGroup
from controlplane.settings import Settings
from controlplane.vpn_rows import VpnAccountRow
from tests.callers import Callers
from tests.factories import small_centre
from tests.people import ADMIN

KIND = "vpn_account"
GATEWAY = "vpn-1"
NETWORKS = ("10.1.0.0/24",)


def keys_in(folder: Path) -> Keys:
    """Return the keys that persons are sealed with in an installation of this state folder."""
    return Entrance.of(Settings(state_dir=folder)).keys


def make_gateway(session: Session, code: str = GATEWAY, *, seats: int = 100_000, **connection: Any) -> None:
    """Make a simulated gateway, of the test's own by its `connection`."""
    said = {"gateway": code, "clients": "10.96.0.0/12", **connection}
    new = pools.NewPool(code, code, "vpn_account", "nm", 3, "fake_gateway", said, {"vpn_account": Capacity(seats)})
    pools.create(session, ADMIN, new)


def make_group(session: Session, department: str = "environment", gateway: str = GATEWAY, **more: Any) -> None:
    vpn_groups.create(session, ADMIN, NewGroup(gateway, department, networks=NETWORKS, **more))


def vpn_centre(session: Session, *, limit: int | None = 100_000, **more: Any) -> None:
    """Make the small centre, a gateway, and a group and a limit for each of its two departments."""
    small_centre(session)
    furnish(session, limit=limit, **more)


def furnish(session: Session, *, limit: int | None = 100_000, **more: Any) -> None:
    """Give a small centre a gateway, and each of its departments a group and a limit."""
    make_gateway(session, **more)
    for department in ("environment", "finance"):
        departments.set_quota(session, ADMIN, department, {"vpn_account": limit})
        make_group(session, department)


def row(number: int | str = 1, **more: Any) -> VpnAccountRow:
    """Return the ask for one account of somebody."""
    person = Person(name=f"王芳{number}", number=f"E{number:0>5}", phone="0471-0000001")
    return VpnAccountRow(**{"username": f"wang{number}", "person": person, **more})


def look(http: Callers) -> None:
    """Do what a worker would do for the gateway."""
    pool = UUID(http.admin.get(f"/pools/{GATEWAY}").json["id"])
    gateways.check(http.sessions, http.drivers, pool)
