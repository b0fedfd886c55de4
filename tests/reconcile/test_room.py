"""How much a pool has, where it can say so itself: the sweep reads it and the ledger's limit follows."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import cast
from uuid import UUID

import pytest
from sqlalchemy import func, select

from controlplane.bootstrap import Installation
from controlplane.db import transaction
from controlplane.models import AuditEvent, PoolCapacity
from controlplane.reconcile.sweep import sweep
from controlplane.services import pools
from provisioners.contract import Room, Unreachable
from provisioners.fake_driver import FakeCloud
from quotas.tables import accounts
from tests.people import ADMIN
from tests.reconcile.lab import Lab


@pytest.fixture
def cloud(installation: Installation) -> Iterator[Lab]:
    """A lab whose one pool is a cloud that knows how much it has."""
    with Lab(installation) as made:
        change(made, connection={"node": "cloud", "cloud": True}, capacity_follows=True)
        yield made


def change(lab: Lab, **values: object) -> None:
    with transaction(lab.sessions) as session:
        pools.update(session, ADMIN, "hv-01", values)


def has(lab: Lab, **room: Room) -> None:
    cast("FakeCloud", lab.driver()).set_room(**room)


def limit(lab: Lab, resource_class: str) -> int | None:
    of = (accounts.c.owner == lab.pool().id) & (accounts.c.resource_class == resource_class)
    with transaction(lab.sessions) as session:
        found: int | None = session.scalar(select(accounts.c.limit).where(of))
        return found


def said(lab: Lab) -> int:
    with transaction(lab.sessions) as session:
        of = AuditEvent.action == "pool.set_capacity"
        return session.scalar(select(func.count()).select_from(AuditEvent).where(of)) or 0


def built(lab: Lab) -> UUID:
    web = lab.ask()
    while lab.look(web) == "underway":
        lab.driver().settle(web)
    return web


def test_the_sweep_reads_how_much_there_is_and_the_limit_follows(cloud: Lab) -> None:
    has(cloud, vcpu=Room(100, 4, Decimal("4.5")), memory_mib=Room(8192, 512))
    sweep(cloud.sessions, cloud.drivers)
    assert (limit(cloud, "vcpu"), limit(cloud, "memory_mib")) == (432, 7680)
    with transaction(cloud.sessions) as session:
        kept = session.get(PoolCapacity, (cloud.pool().id, "vcpu"))
        assert kept is not None
        assert (kept.total, kept.reserved, kept.ratio) == (100, 4, Decimal("4.5"))


def test_what_did_not_change_is_not_written_again(cloud: Lab) -> None:
    has(cloud, vcpu=Room(100))
    sweep(cloud.sessions, cloud.drivers)
    before = said(cloud)
    sweep(cloud.sessions, cloud.drivers)
    assert said(cloud) == before


def test_what_the_pool_does_not_speak_of_stays_as_it_was_set(cloud: Lab) -> None:
    before = limit(cloud, "disk_gib")
    has(cloud, vcpu=Room(100))
    sweep(cloud.sessions, cloud.drivers)
    assert limit(cloud, "disk_gib") == before


def test_a_capacity_that_was_set_by_hand_stays_where_it_is_not_to_follow(cloud: Lab) -> None:
    change(cloud, capacity_follows=False)
    before = limit(cloud, "vcpu")
    has(cloud, vcpu=Room(1))
    sweep(cloud.sessions, cloud.drivers)
    assert limit(cloud, "vcpu") == before


def test_a_pool_that_lost_hosts_gives_nothing_more_and_takes_nothing_away(cloud: Lab) -> None:
    web = built(cloud)
    has(cloud, vcpu=Room(0))
    sweep(cloud.sessions, cloud.drivers)
    assert limit(cloud, "vcpu") == 0
    assert cloud.record(web).state == "running"
    assert cloud.picture(web).discrepancies == []


def test_a_pool_that_does_not_say_how_much_it_has_is_checked_for_all_else(cloud: Lab) -> None:
    web = built(cloud)
    found = cloud.machine(web)
    assert found is not None
    cloud.forget_jobs()
    cloud.driver().put(replace(found, power="off"))
    projects = cast("FakeCloud", cloud.driver())
    projects.set_tenant("environment", {"vm": 99}, ())
    cloud.driver().fail_next("observe", Unreachable("Placement is away"))
    swept = sweep(cloud.sessions, cloud.drivers)
    assert (swept.looks, swept.opened, swept.passed_over) == (1, 2, ("hv-01",))
    assert projects.tenants(["environment"])["environment"].limits["vm"] == 100, "its quota was set right as well"
