"""What tests of reconciling share: asks and verbs by the services, looks by `reconcile`, and a picture of how it ended.

A picture holds everything that must be the same however often a driver failed on the way: the record, the machines in
the pools, the ledger and the addresses. The VM's own id is left out, so the pictures of two lives can be compared.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from types import TracebackType
from typing import Any, cast
from uuid import UUID

from sqlalchemy import exists, select, text
from sqlalchemy.orm import Session

from controlplane.bootstrap import Installation
from controlplane.db import transaction
from controlplane.models import AuditEvent, Claim, Pool, Resource, Site
from controlplane.reconcile.drivers import Drivers
from controlplane.reconcile.resource import Outcome, reconcile
from controlplane.services import pools, resources
from controlplane.services.pools import Capacity
from controlplane.services.resources import Order
from provisioners.contract import Machine, MachineDriver
from provisioners.fake_driver import FakeDriver
from quotas.verify import verify
from tests.factories import GIB, ask, make_subnet, small_centre, vm
from tests.people import ADMIN

NOBODY = UUID(int=0)


@dataclass(frozen=True)
class Picture:
    """How it stands. `machines` are all that the pools have; `used` is keyed by owner's code and class."""

    record: dict[str, Any]
    machines: list[Machine]
    used: dict[tuple[str, str], int]
    held: int
    claims: list[str]
    discrepancies: list[Any]


def furnish(session: Session, *, driver: str = "fake", hypervisors: int = 1) -> None:
    """Make a small centre whose hypervisors are all of one driver, and a subnet of three floating addresses."""
    small_centre(session, hypervisors=hypervisors if driver == "fake" else 0)
    make_subnet(session, "outside", "172.31.99.8/29", network="ext", floating=True, excluded=["172.31.99.12/30"])
    if driver == "libvirt":
        for number in range(hypervisors):
            make_libvirt_pool(session, f"hv-{number + 1:02}")


class Lab:
    """A small centre whose hypervisors are all of one driver; it is made where the database begins with none."""

    def __init__(self, installation: Installation, *, driver: str = "fake", hypervisors: int = 1) -> None:
        self.installation = installation
        self.sessions = installation.sessions
        self.drivers: Drivers = installation.drivers()
        with transaction(self.sessions) as session:
            if not session.scalar(select(exists(select(Site)))):
                furnish(session, driver=driver, hypervisors=hypervisors)

    def __enter__(self) -> "Lab":
        return self

    def __exit__(self, _t: type[BaseException] | None, _e: BaseException | None, _b: TracebackType | None) -> None:
        self.drivers.close()

    # --- what people do

    def ask(self, name: str = "web-01", **more: Any) -> UUID:
        """Ask for a VM; nobody has looked at it yet."""
        with transaction(self.sessions) as session:
            return ask(session, vm(name, **more))[0].id

    def running(self, name: str = "web-01", **more: Any) -> UUID:
        """Ask for a VM and build it."""
        made = self.ask(name, **more)
        assert self.look(made) == "settled"
        return made

    def act(self, resource: UUID, verb: str, **body: Any) -> None:
        with transaction(self.sessions) as session:
            if verb == "delete":
                resources.delete(session, ADMIN, "vm", resource)
            else:
                resources.act(session, ADMIN, Order("vm", resource, verb, body or None))

    def done(self, resource: UUID, verb: str, **body: Any) -> None:
        """Order a verb and look until it is done."""
        self.act(resource, verb, **body)
        assert self.look(resource) in {"settled", "gone"}

    # --- what workers do

    def look(self, resource: UUID, drivers: Drivers | None = None) -> Outcome:
        return reconcile(self.sessions, drivers or self.drivers, resource)

    # --- what is there

    def driver(self, code: str = "hv-01") -> FakeDriver:
        """Return the driver that looks use for a pool, so that it can be told to fail."""
        return cast("FakeDriver", self.driver_of(self.pool(code)))

    def driver_of(self, pool: Pool) -> MachineDriver:
        return self.drivers.of(pool.id, pool.driver, pool.connection)

    def pool(self, code: str = "hv-01") -> Pool:
        with transaction(self.sessions) as session:
            return session.scalars(select(Pool).where(Pool.code == code)).one()

    def pool_of(self, resource: UUID) -> str:
        with transaction(self.sessions) as session:
            return session.scalars(select(Pool.code).join(Resource).where(Resource.id == resource)).one()

    def record(self, resource: UUID) -> Resource:
        with transaction(self.sessions) as session:
            return session.scalars(select(Resource).where(Resource.id == resource)).one()

    def machine(self, resource: UUID) -> Machine | None:
        """Return the machine of a resource as it is in the first pool."""
        return self.driver_of(self.pool()).observe([resource]).get(resource)

    def machines(self) -> list[Machine]:
        with transaction(self.sessions) as session:
            found = session.scalars(select(Pool).order_by(Pool.code)).all()
        return [machine for pool in found for machine in self.driver_of(pool).discover()]

    def used(self) -> dict[tuple[str, str], int]:
        """Return what is used, by (owner's code, class), where it is not nothing."""
        with transaction(self.sessions) as session:
            return {(row[0], row[1]): row[2] for row in session.execute(_USED)}

    def jobs(self, resource: UUID) -> int:
        """Return how many jobs wait to look at a resource."""
        with transaction(self.sessions) as session:
            return session.scalar(_WAITING, {"lock": str(resource)}) or 0

    def forget_jobs(self) -> None:
        """Lose every job, as nothing of ours ever does."""
        with transaction(self.sessions) as session:
            session.execute(text("DELETE FROM procrastinate_jobs"))

    def actions(self, resource: UUID) -> list[tuple[str, str, str]]:
        """Return the audit trail of a resource as (who, what, outcome), oldest first."""
        with transaction(self.sessions) as session:
            events = session.scalars(
                select(AuditEvent).where(AuditEvent.target_id == resource).order_by(AuditEvent.id)
            ).all()
        return [(e.actor_name, e.action, e.outcome) for e in events]

    def picture(self, resource: UUID) -> Picture:
        record = self.record(resource)
        with transaction(self.sessions) as session:
            claims = [str(a) for a in session.scalars(select(Claim.address).order_by(Claim.address))]
            held = session.scalar(text("SELECT coalesce(sum(held), 0) FROM ledger_accounts"))
            discrepancies = list(verify(session))
        machines = [replace(m, id=NOBODY if m.id == resource else m.id) for m in self.machines()]
        shown = {
            "state": record.state,
            "desired": record.desired,
            "generation": record.generation,
            "observed_generation": record.observed_generation,
            "demand": record.demand,
            "fault": (record.fault_code, record.fault_detail),
            "deleted": record.deleted_at is not None,
        }
        return Picture(shown, machines, self.used(), int(held or 0), claims, discrepancies)


def make_libvirt_pool(session: Any, code: str) -> None:
    """Make a pool on one of libvirt's own simulated hypervisors."""
    capacity = {
        "vm": Capacity(None),
        "vcpu": Capacity(64, 0, Decimal(4)),
        "memory_mib": Capacity(512 * GIB),
        "disk_gib": Capacity(20_000),
    }
    connection = {"uri": f"test:///{code}", "node": {"cpus": 64, "memory_mib": 524_288}}
    pools.create(session, ADMIN, pools.NewPool(code, code, "vm", "nm", 3, "libvirt", connection, capacity))


_USED = text("""
    SELECT coalesce(d.code, p.code), a.resource_class, a.used
    FROM ledger_accounts a LEFT JOIN departments d ON d.id = a.owner LEFT JOIN pools p ON p.id = a.owner
    WHERE a.used <> 0
""")

_WAITING = text("SELECT count(*) FROM procrastinate_jobs WHERE lock = :lock AND status = 'todo'")
