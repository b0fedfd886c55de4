"""A small centre, and asks of it, made through the services."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from controlplane.db import Sessions, transaction
from controlplane.models import Department, Resource
from controlplane.services import catalogue, departments, pools, requests, systems
from controlplane.services.pools import Capacity
from tests.people import ADMIN

ROOMY = {"vm": 100, "vcpu": 400, "memory_mib": 1024 * 1024, "disk_gib": 100_000}
GIB = 1024


@dataclass(frozen=True)
class Centre:
    """Codes of what `small_centre` made."""

    site: str = "nm"
    department: str = "environment"
    other: str = "finance"
    system: str = "monitoring"
    subnet: str = "business"
    subnet6: str = "business6"


def small_centre(session: Session, *, hypervisors: int = 2, limits: Mapping[str, int | None] | None = None) -> Centre:
    """Make one site, two departments with a system each, one flavor and image, two subnets, fake hypervisors."""
    centre = Centre()
    catalogue.create_site(
        session, ADMIN, {"code": centre.site, "name": "内蒙古", "name_en": "Inner Mongolia", "level": "region"}
    )
    for code, name in ((centre.department, "环境保护厅"), (centre.other, "财政厅")):
        make_department(session, code, name, limits=limits or ROOMY)
        make_system(session, code)
    catalogue.create_flavor(
        session, ADMIN, {"code": "small", "name": "Small", "vcpu": 2, "memory_mib": 4 * GIB, "disk_gib": 50}
    )
    catalogue.create_image(
        session, ADMIN, {"code": "debian-12", "name": "Debian 12", "os": "debian", "min_disk_gib": 10}
    )
    make_subnet(session, centre.subnet, "10.1.0.0/24", gateway="10.1.0.1")
    make_subnet(session, centre.subnet6, "fd00:1::/64", gateway="fd00:1::1")
    for number in range(hypervisors):
        make_pool(session, f"hv-{number + 1:02}")
    return centre


def make_department(
    session: Session,
    code: str,
    name: str = "部门",
    *,
    parent: str | None = None,
    limits: Mapping[str, int | None] | None = None,
) -> Department:
    new = departments.NewDepartment(code, name, code.title(), "nm", parent, limits or {})
    return departments.create(session, ADMIN, new)


def make_system(session: Session, department: str, code: str = "monitoring", level: int = 2) -> None:
    contact = ("王芳", "0471-0000001", "wang@nm.example")
    systems.create(session, ADMIN, systems.NewSystem(department, code, "监控", "Monitoring", level, *contact))


def make_subnet(session: Session, code: str, cidr: str, **more: Any) -> None:
    catalogue.create_subnet(
        session, ADMIN, {"code": code, "name": code, "site": "nm", "cidr": cidr, "network": "default", **more}
    )


def make_pool(session: Session, code: str, *, level: int = 3, vcpu: int = 64, **connection: Any) -> None:
    capacity = {
        "vm": Capacity(None),
        "vcpu": Capacity(vcpu, 0, Decimal(4)),
        "memory_mib": Capacity(512 * GIB),
        "disk_gib": Capacity(20_000),
    }
    new = pools.NewPool(code, code, "vm", "nm", level, "fake", {"node": code, **connection}, capacity)
    pools.create(session, ADMIN, new)


def vm(name: str = "web-01", **more: Any) -> dict[str, Any]:
    """Return the ask for one VM of the small centre."""
    size: dict[str, Any] = {} if "vcpu" in more else {"flavor": "small"}
    return {"name": name, "system": "monitoring", "image": "debian-12", "subnets": ["business"], **size, **more}


def given(sessions: Sessions, **more: Any) -> Centre:
    """Make a small centre and commit it."""
    with transaction(sessions) as session:
        return small_centre(session, **more)


def ask(session: Session, *items: dict[str, Any], department: str = "environment") -> list[Resource]:
    """Submit an ask for VMs as the administrator and return the resources that came of it, in order."""
    request = requests.submit(session, ADMIN, requests.Ask("vm", department, items))
    found = session.query(Resource).where(Resource.request_id == request.id).order_by(Resource.id)
    return list(found)
