"""What is closed or made twice while somebody else asks: exactly one of the two gets through, as a refusal says."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from controlplane.db import Sessions, transaction
from controlplane.errors import AlreadyExists, InUse, NotFound, Refusal
from controlplane.models import Department, Resource, Subnet, System
from controlplane.services import catalogue, departments, systems
from tests.factories import ask, given, make_department, make_pool, make_subnet, make_system, vm
from tests.people import ADMIN

Act = Callable[[], object]
ROUNDS = 8


def race(*acts: Act) -> list[type[Refusal] | None]:
    """Let all acts loose at once; return the refusal of each, None for one that got through."""
    barrier = threading.Barrier(len(acts))

    def run(act: Act) -> type[Refusal] | None:
        barrier.wait()
        try:
            act()
        except Refusal as refusal:
            return type(refusal)
        return None

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def test_a_department_is_never_closed_with_one_below_it(sessions: Sessions) -> None:
    given(sessions)
    for number in range(ROUNDS):
        code = f"short-lived-{number}"
        with transaction(sessions) as session:
            make_department(session, code)

        def close(code: str = code) -> None:
            with transaction(sessions) as session:
                departments.delete(session, ADMIN, code)

        def create(code: str = code, number: int = number) -> None:
            with transaction(sessions) as session:
                make_department(session, f"child-{number}", parent=code)

        refused = race(close, create)
        assert refused in ([None, NotFound], [InUse, None]), refused
    with transaction(sessions) as session:
        closed = select(Department.id).where(Department.deleted_at.is_not(None))
        assert not session.scalar(select(func.count()).where(Department.parent_id.in_(closed)))


def test_a_system_is_never_closed_with_a_vm_that_serves_it(sessions: Sessions) -> None:
    given(sessions)
    for number in range(ROUNDS):
        code = f"system-{number}"
        with transaction(sessions) as session:
            make_system(session, "environment", code)

        def close(code: str = code) -> None:
            with transaction(sessions) as session:
                systems.delete(session, ADMIN, code)

        def use(code: str = code, number: int = number) -> None:
            with transaction(sessions) as session:
                ask(session, vm(f"web-{number}", system=code))

        assert race(close, use) in ([None, NotFound], [InUse, None])
    with transaction(sessions) as session:
        closed = select(System.id).where(System.deleted_at.is_not(None))
        assert not session.scalar(select(func.count()).where(Resource.system_id.in_(closed)))


def test_a_subnet_is_never_removed_with_an_address_claimed(sessions: Sessions) -> None:
    given(sessions)
    for number in range(ROUNDS):
        code = f"subnet-{number}"
        with transaction(sessions) as session:
            make_subnet(session, code, f"10.77.{number}.0/24")

        def remove(code: str = code) -> None:
            with transaction(sessions) as session:
                catalogue.delete_subnet(session, ADMIN, code)

        def take(code: str = code, number: int = number) -> None:
            with transaction(sessions) as session:
                ask(session, vm(f"web-{number}", subnets=[code]))

        assert race(remove, take) in ([None, NotFound], [InUse, None])
    with transaction(sessions) as session:
        kept = session.scalar(select(func.count()).where(Subnet.code.like("subnet-%")))
        assert session.scalar(select(func.count()).select_from(Resource)) == kept


@pytest.mark.parametrize("make", [make_department, make_pool, make_system], ids=lambda make: make.__name__)
def test_of_two_that_take_one_code_at_once_exactly_one_gets_it(sessions: Sessions, make: Callable[..., object]) -> None:
    given(sessions)

    def create() -> None:
        with transaction(sessions) as session:
            make(session, "environment", "same") if make is make_system else make(session, "same")

    assert sorted(map(str, race(create, create, create))) == sorted(map(str, [None, AlreadyExists, AlreadyExists]))
