"""Departments in a pool that knows tenants, while limits change and while the pool is in trouble."""

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import ClassVar

import pytest
from sqlalchemy import select

from controlplane.db import transaction
from controlplane.models import PoolCheck, Project
from controlplane.reconcile import tenancy
from controlplane.reconcile.sweep import sweep
from controlplane.services import departments
from provisioners.contract import Ingress, Tenant, Unreachable
from provisioners.fake_driver import FakeCloud
from tests.people import ADMIN
from tests.reconcile.lab import Lab
from tests.reconcile.test_tenancy import IN_USE, built, cloud, follow, limit, over_there, quota

__all__ = ["cloud"]

# --- limits that change while they are written


class Interrupted(FakeCloud):
    """A cloud at which something happens during a call that writes limits; `meanwhile` is taken from its end."""

    meanwhile: ClassVar[list[Callable[[], object]]] = []

    def set_tenant(self, department: str, limits: dict[str, int | None], ingress: Collection[Ingress]) -> Tenant:
        if self.meanwhile:
            self.meanwhile.pop()()
        return super().set_tenant(department, limits, ingress)


@pytest.fixture
def interrupted(cloud: Lab) -> Iterator[Interrupted]:
    """The lab's cloud, at which each call can be interrupted."""
    yield Interrupted(over_there(cloud)._node)
    Interrupted.meanwhile.clear()


def written(lab: Lab) -> dict[str, int]:
    with transaction(lab.sessions) as session:
        return dict(session.scalars(select(Project.limits)).one())


def test_a_limit_that_changes_while_the_first_project_is_made_is_its_limit(
    cloud: Lab, interrupted: Interrupted
) -> None:
    interrupted.meanwhile.append(lambda: limit(cloud, vm=20))
    tenancy.ensure(cloud.sessions, interrupted, cloud.pool().id, "environment")
    assert (quota(cloud)["vm"], written(cloud)["vm"]) == (20, 20)


def test_an_older_limit_that_comes_late_does_not_stay(cloud: Lab, interrupted: Interrupted) -> None:
    built(cloud)
    limit(cloud, vm=15)

    def a_newer_one_is_faster() -> None:
        limit(cloud, vm=20)
        assert follow(cloud) == 1

    interrupted.meanwhile.append(a_newer_one_is_faster)
    tenancy.ensure(cloud.sessions, interrupted, cloud.pool().id, "environment")
    assert (quota(cloud)["vm"], written(cloud)["vm"]) == (20, 20)


def test_limits_that_change_with_each_call_are_tried_again_later(cloud: Lab, interrupted: Interrupted) -> None:
    interrupted.meanwhile += [partial(limit, cloud, vm=number) for number in range(20, 40)]
    with pytest.raises(Unreachable, match="change faster"):
        tenancy.ensure(cloud.sessions, interrupted, cloud.pool().id, "environment")
    assert len(interrupted.meanwhile) > 10


def test_a_limit_that_is_set_while_a_project_is_recorded_is_followed(cloud: Lab) -> None:
    """Either the project is there before the limit is set, which then asks for a follow, or the limit before it is read
    again: neither reads past the other."""
    with transaction(cloud.sessions) as session, ThreadPoolExecutor(1) as other:
        departments.set_quota(session, ADMIN, "environment", {"vm": 20})
        making = other.submit(tenancy.ensure, cloud.sessions, cloud.driver(), cloud.pool().id, "environment")
        with pytest.raises(TimeoutError):
            making.result(0.5)
        session.commit()
        making.result(10)
    assert quota(cloud)["vm"] == 20


# --- trouble with projects


@pytest.mark.parametrize(
    "trouble", [IN_USE, Unreachable("no route"), RuntimeError("a bug")], ids=lambda e: type(e).__name__
)
def test_trouble_with_projects_does_not_keep_drift_of_machines_from_being_found(cloud: Lab, trouble: Exception) -> None:
    web = built(cloud)
    cloud.forget_jobs()
    found = cloud.machine(web)
    assert found is not None
    cloud.driver().put(replace(found, power="off"))
    cloud.driver().fail_next("observe", trouble)
    swept = sweep(cloud.sessions, cloud.drivers)
    assert (swept.looks, swept.opened, swept.passed_over) == (1, 1, ("hv-01",))
    with transaction(cloud.sessions) as session:
        seen = session.scalars(select(PoolCheck)).one()
    assert seen.machines == 1
    assert type(trouble).__name__ in str(seen.trouble) or seen.trouble == str(trouble)
