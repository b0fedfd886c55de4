"""One order to many: all of them or none, however they were chosen and whoever else is at it."""

from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from controlplane.db import Sessions, transaction
from controlplane.errors import Forbidden, Invalid, NotFound, RowsRefused
from controlplane.models import AuditEvent, Resource
from controlplane.services import resources
from controlplane.services.resources import BulkOrder
from tests.factories import ask, given, vm
from tests.people import ADMIN, AUDITOR, stranger
from tests.statements import noted


def running(sessions: Sessions, count: int) -> list[UUID]:
    """Make a centre with this many VMs that run; return their ids in the order of their names."""
    given(sessions)
    with transaction(sessions) as session:
        made = ask(session, *(vm(f"web-{n:03}", vcpu=1, memory_mib=256, disk_gib=10) for n in range(count)))
        for machine in made:
            machine.state = "running"
        return [machine.id for machine in made]


def states(session: Session, refs: Sequence[UUID]) -> set[str]:
    return set(session.scalars(select(Resource.state).where(Resource.id.in_(refs))))


def test_all_are_stopped_with_an_event_and_a_job_each(sessions: Sessions) -> None:
    refs = running(sessions, 5)
    with transaction(sessions) as session:
        session.execute(text("DELETE FROM procrastinate_jobs"))
        assert resources.act_many(session, ADMIN, BulkOrder("vm", refs, "stop")) == refs
    with transaction(sessions) as session:
        assert states(session, refs) == {"changing"}
        assert {r.wanted["power"] for r in session.scalars(select(Resource))} == {"off"}
        said = session.scalars(select(AuditEvent.target_id).where(AuditEvent.action == "vm.stop")).all()
        assert sorted(said) == sorted(refs)
        assert session.scalar(text("SELECT count(*) FROM procrastinate_jobs")) == 5


def test_one_that_cannot_leaves_all_as_they_were_and_is_named(sessions: Sessions) -> None:
    refs = running(sessions, 3)
    with transaction(sessions) as session:
        machine = session.get(Resource, refs[1])
        assert machine is not None
        machine.state = "stopped"
    with pytest.raises(RowsRefused) as refused, transaction(sessions) as session:
        resources.act_many(session, ADMIN, BulkOrder("vm", [*refs, uuid4()], "stop"))
    assert [(row, refusal.code) for row, refusal in refused.value.problems] == [(1, "not_now"), (3, "not_found")]
    with transaction(sessions) as session:
        assert states(session, refs) == {"running", "stopped"}


def test_another_departments_is_not_there(sessions: Sessions) -> None:
    refs = running(sessions, 2)
    with pytest.raises(RowsRefused) as refused, transaction(sessions) as session:
        resources.delete_many(session, stranger(uuid4()), "vm", refs)
    assert {refusal.code for _, refusal in refused.value.problems} == {"not_found"}


def test_who_may_only_read_is_refused(sessions: Sessions) -> None:
    refs = running(sessions, 1)
    for order in (
        lambda s: resources.act_many(s, AUDITOR, BulkOrder("vm", refs, "stop")),
        lambda s: resources.delete_many(s, AUDITOR, "vm", refs),
    ):
        with pytest.raises(Forbidden), transaction(sessions) as session:
            order(session)


def test_deleting_many_twice_gives_one_order_to_each(sessions: Sessions) -> None:
    refs = running(sessions, 4)
    for _ in range(2):
        with transaction(sessions) as session:
            assert resources.delete_many(session, ADMIN, "vm", [*refs, refs[0]]) == refs
    with transaction(sessions) as session:
        assert states(session, refs) == {"deleting"}
        assert set(session.scalars(select(Resource.generation))) == {2}


@pytest.mark.parametrize("verb", ["resize", "rebuild", "explode", "delete"])
def test_what_needs_more_words_is_no_order_for_many(sessions: Sessions, verb: str) -> None:
    refs = running(sessions, 1)
    with pytest.raises(NotFound), transaction(sessions) as session:
        resources.act_many(session, ADMIN, BulkOrder("vm", refs, verb))


@pytest.mark.parametrize("count", [0, 1001])
def test_an_order_is_bounded(sessions: Sessions, count: int) -> None:
    with pytest.raises(Invalid), transaction(sessions) as session:
        resources.delete_many(session, ADMIN, "vm", [uuid4() for _ in range(count)])


def test_no_statement_is_sent_for_each_row(sessions: Sessions) -> None:
    refs = running(sessions, 80)
    sent = []
    for some in (refs[:2], refs[2:40]):
        with transaction(sessions) as session, noted(session.get_bind()) as stops:
            resources.act_many(session, ADMIN, BulkOrder("vm", some, "stop"))
        with transaction(sessions) as session, noted(session.get_bind()) as deletes:
            resources.delete_many(session, ADMIN, "vm", some)
        sent.append((len(stops), len(deletes)))
    assert sent[0] == sent[1] <= (5, 5)


def test_two_who_choose_the_same_in_another_order_do_not_lock_each_other_out(sessions: Sessions) -> None:
    refs = running(sessions, 3)
    with transaction(sessions) as session, noted(session.get_bind()) as sent:
        resources.act_many(session, ADMIN, BulkOrder("vm", refs[::-1], "stop"))
    locks = [statement for statement in sent if "FOR UPDATE" in statement]
    assert len(locks) == 1 and "ORDER BY resources.id" in locks[0]
