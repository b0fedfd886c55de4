"""A department asks for a VM: everything that belongs to it is decided in one transaction."""

import pytest
from sqlalchemy import select, text

from controlplane.db import Sessions, transaction
from controlplane.errors import AlreadyExists, NoPool, OverQuota, RowsRefused
from controlplane.models import AuditEvent, Claim, Resource
from quotas.verify import verify
from tests import factories
from tests.factories import ask, given, vm


def test_an_ask_records_the_vm_its_address_its_demand_its_audit_event_and_its_job(sessions: Sessions) -> None:
    given(sessions)
    with transaction(sessions) as session:
        [resource] = ask(session, vm())
        assert resource.state == "building"
        assert [str(c.address) for c in resource.claims] == ["10.1.0.2"]
        assert resource.demand == {"vm": 1, "vcpu": 2, "memory_mib": 4096, "disk_gib": 50}
        assert resource.wanted["nics"][0]["address"] == "10.1.0.2"
        actions = session.scalars(select(AuditEvent.action).where(AuditEvent.target_id == resource.id)).all()
        assert actions == ["vm.create"]
        locks = session.scalars(text("SELECT lock FROM procrastinate_jobs")).all()
        assert locks == [str(resource.id)]
        assert list(verify(session)) == []


def test_an_ask_that_is_rolled_back_leaves_nothing(sessions: Sessions) -> None:
    given(sessions)
    with sessions() as session:
        ask(session, vm())
        session.rollback()
        for model in (Resource, Claim):
            assert session.scalars(select(model)).all() == []
        assert session.scalars(text("SELECT id FROM procrastinate_jobs")).all() == []
        assert session.scalar(text("SELECT count(*) FROM ledger_postings WHERE subject IS NOT NULL")) == 0


def test_an_ask_beyond_the_quota_names_every_class_that_is_short(sessions: Sessions) -> None:
    given(sessions, limits={"vm": 1, "vcpu": 1, "memory_mib": 4096, "disk_gib": 40})
    with pytest.raises(OverQuota) as refused, transaction(sessions) as session:
        ask(session, vm())
    short = {s["class"]: s["short_by"] for s in refused.value.numbers()["shortages"]}
    assert short == {"vcpu": 1, "disk_gib": 10}
    assert "环境保护厅" in refused.value.message


def test_an_ask_that_no_pool_can_take_says_what_each_filter_removed(sessions: Sessions) -> None:
    given(sessions, hypervisors=3, limits=dict.fromkeys(factories.ROOMY))
    with pytest.raises(NoPool) as refused, transaction(sessions) as session:
        factories.make_system(session, "environment", "secret", level=4)
        ask(session, vm(system="secret"))
    assert {"filter": "mlps_level", "removed": 3} in refused.value.numbers()["filters"]


def test_one_bad_row_of_many_refuses_all_and_is_named(sessions: Sessions) -> None:
    given(sessions)
    with pytest.raises(RowsRefused) as refused, transaction(sessions) as session:
        ask(session, vm("a"), vm("b", image="none"), vm("a"))
    assert [(row, r.code) for row, r in refused.value.problems] == [(1, "not_found")]


def test_a_name_can_be_used_once_in_a_department(sessions: Sessions) -> None:
    given(sessions)
    with transaction(sessions) as session:
        ask(session, vm())
        ask(session, vm(), department="finance")
        with pytest.raises(AlreadyExists):
            ask(session, vm())


def test_members_of_a_spread_group_never_share_a_pool(sessions: Sessions) -> None:
    given(sessions, hypervisors=2)
    with transaction(sessions) as session:
        first, second = ask(session, vm("db-1", anti_affinity="db"), vm("db-2", anti_affinity="db"))
        assert first.pool_id != second.pool_id
        with pytest.raises(NoPool):
            ask(session, vm("db-3", anti_affinity="db"))
