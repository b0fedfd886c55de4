"""Loading a model centre: through the same services that the API calls, in steps that each commit.

A load that was cut off is taken up where it stopped: what exists already by its code or name is passed over. Once
it is complete, that is recorded, and the next start leaves alone what people have made of it since.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from controlplane import audit
from controlplane.actor import Actor, system
from controlplane.centre import vpn
from controlplane.centre.data_files import Model, Rows, copies, read
from controlplane.db import Sessions, new_id, transaction
from controlplane.kinds import KINDS
from controlplane.models import AuditEvent, Department, Flavor, Image, Pool, Resource, Site, Subnet, System
from controlplane.secrets import Keys
from controlplane.services import catalogue, departments, pools, requests, systems

Tell = Callable[[str, int, int], None]
"""Told of progress: what is being loaded, how many are there, how many there will be."""

_LOADED = "centre.load"
_AT_ONCE = 100


def is_loaded(session: Session, name: str) -> bool:
    """Tell whether a model was loaded completely at any time."""
    done = select(AuditEvent.id).where(AuditEvent.action == _LOADED, AuditEvent.target_name == name)
    return session.scalar(done.limit(1)) is not None


@dataclass(frozen=True, slots=True)
class Load:
    """What is loaded: `scale` copies of a model, with resources of these kinds. `keys` seal whose accounts are."""

    name: str
    keys: Keys
    scale: int = 1
    kinds: frozenset[str] = frozenset(KINDS)


def load(sessions: Sessions, asked: Load, tell: Tell) -> None:
    """Load a model. Raises UnknownModel, and any refusal that its data earns."""
    actor = system("centre loader", new_id().hex)
    for model in copies(read(asked.name), asked.scale):
        for what, rows, existing, create in _steps(model):
            _load_rows(sessions, actor, tell, (what, rows, existing, create))
        if "vm" in asked.kinds:
            _load_vms(sessions, actor, model, tell)
        if "vpn_account" in asked.kinds:
            vpn.load(sessions, actor, asked.keys, model, tell)
    if asked.kinds == frozenset(KINDS):
        with transaction(sessions) as session:
            details = {"scale": asked.scale}
            audit.record(session, actor, [audit.Act(_LOADED, "centre", UUID(int=0), asked.name, None, details)])


Create = Callable[[Session, Actor, dict[str, Any]], object]
_Step = tuple[str, Rows, Any, Create]


def _steps(model: Model) -> Iterable[_Step]:
    return (
        ("sites", model.sites, Site.code, catalogue.create_site),
        ("departments", model.departments, Department.code, _department),
        ("systems", model.systems, System.code, _system),
        ("flavors", model.flavors, Flavor.code, catalogue.create_flavor),
        ("images", model.images, Image.code, catalogue.create_image),
        ("subnets", model.subnets, Subnet.code, catalogue.create_subnet),
        ("pools", model.pools, Pool.code, _pool),
        ("gateways", model.gateways, Pool.code, _gateway),
    )


def _load_rows(sessions: Sessions, actor: Actor, tell: Tell, step: _Step) -> None:
    what, rows, code, create = step
    with transaction(sessions) as session:
        existing = set(session.scalars(select(code)))
    missing = [row for row in rows if row["code"] not in existing]
    for start in range(0, len(missing), _AT_ONCE):
        with transaction(sessions) as session:
            for row in missing[start : start + _AT_ONCE]:
                create(session, actor, row)
        tell(what, len(rows) - len(missing) + min(start + _AT_ONCE, len(missing)), len(rows))


def _department(session: Session, actor: Actor, row: dict[str, Any]) -> object:
    plain = {key: value for key, value in row.items() if key != "quotas"}
    return departments.create(session, actor, departments.NewDepartment(**plain, limits=row["quotas"]))


def _system(session: Session, actor: Actor, row: dict[str, Any]) -> object:
    plain = {key: value for key, value in row.items() if key != "contact"}
    contact = {f"contact_{key}": value for key, value in row["contact"].items()}
    return systems.create(session, actor, systems.NewSystem(**plain, **contact))


def _pool(session: Session, actor: Actor, row: dict[str, Any]) -> object:
    """A pool of the model is a simulated hypervisor, whose node is named by the pool's code."""
    capacity = {c: pools.Capacity(None) if given is None else _capacity(given) for c, given in row["capacity"].items()}
    connection = {"uri": f"test:///{row['code']}", "node": row["node"]}
    new = pools.NewPool(
        code=row["code"],
        name=row["name"],
        kind="vm",
        site=row["site"],
        mlps_level=row["mlps_level"],
        driver="libvirt",
        connection=connection,
        capacity=capacity,
    )
    return pools.create(session, actor, new)


def _gateway(session: Session, actor: Actor, row: dict[str, Any]) -> object:
    """A gateway of the model is a simulated one."""
    seats = pools.Capacity(row["seats"], 0, Decimal(str(row["ratio"])))
    new = pools.NewPool(
        code=row["code"],
        name=row["name"],
        kind=vpn.KIND,
        site=row["site"],
        mlps_level=row["mlps_level"],
        driver="fake_gateway",
        connection={"gateway": row["code"], "clients": row["clients"]},
        capacity={vpn.KIND: seats},
    )
    return pools.create(session, actor, new)


def _capacity(given: dict[str, Any]) -> pools.Capacity:
    return pools.Capacity(given["total"], given["reserved"], Decimal(str(given["ratio"])))


def _load_vms(sessions: Sessions, actor: Actor, model: Model, tell: Tell) -> None:
    """Ask for the VMs of each department in one ask, as its manager would."""
    owner = {row["code"]: row["department"] for row in model.systems}
    wanted: dict[str, Rows] = defaultdict(list)
    for row in model.vms:
        wanted[owner[row["system"]]].append(row)
    done = 0
    for department, rows in wanted.items():
        with transaction(sessions) as session:
            existing = set(
                session.scalars(
                    select(Resource.name)
                    .join(Department, Department.id == Resource.department_id)
                    .where(Department.code == department, Resource.kind == "vm")
                )
            )
            missing = [row for row in rows if row["name"] not in existing]
            if missing:
                requests.submit(session, actor, requests.Ask("vm", department, missing))
        done += len(rows)
        tell("vms", done, len(model.vms))
