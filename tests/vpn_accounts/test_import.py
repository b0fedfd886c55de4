"""Importing VPN accounts: what is checked, what is told of it, and that all are made once or none at all."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text

from controlplane.asks.routing import Applies, StepOf
from controlplane.db import transaction
from controlplane.errors import Forbidden, NotFound, Refusal
from controlplane.models import Department, Request, Resource, VpnGroup, VpnImport
from controlplane.services import departments, leavers, pools, routing, vpn_imports
from controlplane.services.pools import Capacity
from controlplane.services.routing import RuleOf
from controlplane.vpn_import import looking
from controlplane.vpn_import.refusals import ImportNotReady, ImportUnderWay, TooManyImports
from tests.people import ADMIN, OPERATOR
from tests.vpn_accounts.importing import Importing, people, table, workbook
from tests.vpn_accounts.lab import VpnLab
from tests.vpn_accounts.scene import GATEWAY, KIND, make_group, row


@pytest.fixture
def ours(vpn: VpnLab) -> Importing:
    return Importing(vpn)


def test_a_good_table_is_checked_shown_with_its_quota_and_made_as_one_request(vpn: VpnLab, ours: Importing) -> None:
    vpn.ask(row(9))
    ref = ours.checked(people(1, 2, 3))
    found = ours.record(ref)
    assert (found.state, found.total, vpn.used()) == ("ready", 3, 1)
    assert found.quota == {"limit": 100_000, "held": 0, "before": 1, "after": 4}
    ours.start(ref)
    looks = vpn.jobs().count("gateway")
    assert ours.look(ref) == "working"
    found = ours.record(ref)
    assert (found.state, found.done, vpn.used(), vpn.discrepancies()) == ("done", 3, 4, [])
    with vpn.sessions() as session:
        made = session.scalars(select(Resource).where(Resource.request_id == found.request_id)).all()
        asked = session.get_one(Request, found.request_id)
    assert {one.name for one in made} == {"wang1", "wang2", "wang3"}
    assert (asked.asked_by, asked.asked_for) == (ours.actor.id, ours.actor.id)
    assert vpn.jobs().count("gateway") == looks + 1


def test_a_last_day_is_whole_at_the_site_and_the_rest_of_a_row_is_taken_as_it_stands(
    vpn: VpnLab, ours: Importing
) -> None:
    with transaction(vpn.sessions) as session:
        make_group(session, system="monitoring", prefix=26)
    headings = "工号,姓名,用户名,业务系统,网关,会话数,有效期至,邮箱"
    ref = ours.checked(table("1001,李娜,li,monitoring,vpn-1,3,2027/12/31,li@nm.example", headings=headings))
    ours.start(ref)
    ours.look(ref)
    with vpn.sessions() as session:
        [made] = session.scalars(select(Resource).where(Resource.request_id == ours.record(ref).request_id))
    assert made.lease_until == datetime(2027, 12, 31, 15, 59, 59, tzinfo=UTC)
    assert (made.wanted["max_sessions"], made.wanted["system"]) == (3, "monitoring")


def test_everything_that_is_wrong_is_told_at_once_by_line_and_column(vpn: VpnLab, ours: Importing) -> None:
    vpn.ask(row(7))
    headings = "name,number,username,system,gateway,max_sessions,lease_until,phone,mail"
    lines = (
        "a,1,good,,,,,,",
        ",2,Big,,,11,31.12.2027,x,y",
        "b,3,good,,,,,,",
        "c,4,wang7,,,,,,",
        "d,5,d,nothing,,,,,",
        "e,6,e,,elsewhere,,,,",
        "f,7,,,,,,,",
    )
    ref = ours.checked(table(*lines, headings=headings))
    found = ours.record(ref)
    assert (found.state, found.problem_count, vpn.used()) == ("bad", 11, 1)
    assert ours.told(ref) == [
        (3, "name", "import.name"),
        (3, "phone", "import.phone"),
        (3, "mail", "import.mail"),
        (3, "username", "import.username"),
        (3, "max_sessions", "import.max_sessions"),
        (3, "lease_until", "import.lease_until"),
        (4, "username", "import.username_twice"),
        (5, "username", "import.username_taken"),
        (6, "system", "import.system_unknown"),
        (7, "gateway", "import.no_group"),
        (8, "username", "import.username_missing"),
    ]


def test_a_rule_of_the_department_makes_user_names_and_refuses_others(vpn: VpnLab, ours: Importing) -> None:
    with transaction(vpn.sessions) as session:
        [group] = vpn_groups_of(session, ours.department)
        group.username_rule = "{department}-{number}"
    ref = ours.checked(table("a,1,", "b,2,other", "c,二 1,", headings="name,number,username"))
    assert ours.told(ref) == [(3, "username", "import.username_rule"), (4, "number", "import.number_rule")]
    good = ours.checked(table("a,1", "b,2", headings="name,number"))
    ours.start(good)
    ours.look(good)
    assert vpn.known() == {"environment-1", "environment-2"}


def vpn_groups_of(session: Any, department: str) -> list[VpnGroup]:
    of = select(VpnGroup).join(VpnGroup.department).where(Department.code == department)
    return list(session.scalars(of))


def test_what_cannot_be_read_is_told_with_its_place(ours: Importing) -> None:
    ref = ours.checked("姓名,工号,血型\n".encode())
    assert ours.told(ref) == [(1, "3", "import.heading_unknown")]


def test_a_quota_that_is_short_is_told_with_each_row_that_it_does_not_reach(vpn: VpnLab, ours: Importing) -> None:
    with transaction(vpn.sessions) as session:
        departments.set_quota(session, ADMIN, "environment", {KIND: 2})
    ref = ours.checked(people(1, 2, 3, 4))
    assert ours.told(ref) == [
        (None, None, "quota.exceeded"),
        (4, None, "import.beyond_quota"),
        (5, None, "import.beyond_quota"),
    ]
    said = ours.problems(ref)[0].values
    assert (said["left"], said["asked"]) == (2, 4)


def test_bad_rows_do_not_hide_that_the_quota_is_short(vpn: VpnLab, ours: Importing) -> None:
    with transaction(vpn.sessions) as session:
        departments.set_quota(session, ADMIN, "environment", {KIND: 1})
    ref = ours.checked(table("a,1,a", "b,2,B", "c,3,c", headings="name,number,username"))
    assert ours.told(ref) == [
        (None, None, "quota.exceeded"),
        (3, "username", "import.username"),
        (4, None, "import.beyond_quota"),
    ]


def test_a_gateway_that_is_full_is_told(vpn: VpnLab, ours: Importing) -> None:
    with transaction(vpn.sessions) as session:
        pools.set_capacity(session, ADMIN, GATEWAY, {KIND: Capacity(1)})
    assert ours.told(ours.checked(people(1, 2))) == [(None, None, "placement.no_pool")]


def test_what_has_to_be_approved_first_is_told_with_what_to_do(vpn: VpnLab, ours: Importing) -> None:
    with transaction(vpn.sessions) as session:
        steps = [StepOf(role="system_admin", stage=1, hours=24)]
        rule = RuleOf("多", "many", True, Applies(do=["create"], kind=KIND, amounts={KIND: 2}), steps)
        routing.create(session, OPERATOR, "many", rule)
    ref = ours.checked(people(1, 2))
    assert ours.told(ref) == [(None, None, "request.approval_needed")]
    assert "system_admin" in ours.problems(ref)[0].detail


def test_of_many_problems_the_first_are_kept_and_all_are_counted(ours: Importing) -> None:
    ref = ours.checked(table(*(f"a,{n},A{n}" for n in range(700)), headings="name,number,username"))
    assert (ours.record(ref).problem_count, len(ours.problems(ref))) == (700, 500)


def test_nothing_of_a_person_is_kept_in_clear_and_the_file_goes_once_it_is_over(vpn: VpnLab, ours: Importing) -> None:
    ready = ours.checked(people(1))
    bad = ours.checked(table("王芳1,E00001,wang1,x"))
    for value in ("王芳1", "E00001", "0471-0000001"):
        assert not _found(vpn, value), value
    assert _kept(vpn, ready) and not _kept(vpn, bad)
    ours.start(ready)
    assert _kept(vpn, ready)
    ours.look(ready)
    assert not _kept(vpn, ready)


def _kept(vpn: VpnLab, ref: UUID) -> bytes | None:
    with vpn.sessions() as session:
        return session.scalar(select(VpnImport.content).where(VpnImport.id == ref))


def _found(vpn: VpnLab, value: str) -> list[str]:
    with vpn.sessions() as session:
        session.execute(text("SET LOCAL ROLE NONE"))
        tables = session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
        holding = "SELECT count(*) FROM {} t WHERE t::text LIKE '%' || :value || '%'"
        found = [one for one in tables if session.scalar(text(holding.format(one)), {"value": value})]
    # The telephone of a system's contact, who is nobody's account.
    return [one for one in found if (one, value) != ("systems", "0471-0000001")]


def test_progress_is_seen_while_nothing_is_committed_yet(
    vpn: VpnLab, ours: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = ours.checked(people(*range(1200)))
    ours.start(ref)
    seen: list[tuple[str, int, int, int]] = []
    submit = looking.requests.submit

    def watched(session: Any, actor: Any, ask: Any) -> Any:
        submitted = submit(session, actor, ask)
        found = ours.record(ref)
        seen.append((found.step, found.done, found.total, vpn.used()))
        return submitted

    monkeypatch.setattr(looking.requests, "submit", watched)
    ours.look(ref)
    assert seen == [("asking", 1200, 1200, 0)]
    assert vpn.used() == 1200


def test_another_departments_import_is_not_found(vpn: VpnLab, ours: Importing) -> None:
    ref = ours.checked(people(1))
    theirs = Importing(vpn, department="finance", name="theirs")
    with pytest.raises(NotFound):
        theirs.start(ref)
    with pytest.raises(NotFound), transaction(vpn.sessions) as session:
        vpn_imports.discard(session, theirs.actor, ref)
    theirs.department = "environment"
    with pytest.raises(NotFound):
        theirs.send(people(1))


def test_who_may_not_ask_for_accounts_may_not_import_them(vpn: VpnLab) -> None:
    with pytest.raises(Forbidden):
        Importing(vpn, "auditor", None, "auditor").send(people(1))


def test_two_starts_at_once_make_one(vpn: VpnLab, ours: Importing) -> None:
    ref = ours.checked(people(1, 2))

    def started(_: int) -> bool:
        try:
            ours.start(ref)
        except ImportNotReady:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(started, range(2))) == [False, True]
    assert vpn.jobs().count("vpn_import") == 2
    ours.look(ref)
    assert ours.look(ref) == "done"
    assert vpn.used() == 2


def test_two_workers_at_once_make_the_accounts_once(vpn: VpnLab, ours: Importing) -> None:
    ref = ours.checked(people(*range(50)))
    ours.start(ref)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: ours.look(ref), range(2)))
    assert (ours.record(ref).state, vpn.used(), vpn.discrepancies()) == ("done", 50, [])


class Killed(BaseException):
    """The worker is gone in the middle of it."""


@pytest.mark.parametrize("at", ["attempt", "_end"])
def test_what_a_crash_cut_off_is_done_again_and_once(
    vpn: VpnLab, ours: Importing, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    ref = ours.checked(people(1, 2))
    ours.start(ref)
    whole = getattr(looking, at)

    def killed(*args: Any, **more: Any) -> None:
        whole(*args, **more)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(looking, at, killed)
        with pytest.raises(Killed):
            ours.look(ref)
    assert (ours.record(ref).state, vpn.used()) == ("working", 0)
    ours.look(ref)
    assert (ours.record(ref).state, vpn.used(), ours.look(ref)) == ("done", 2, "done")
    assert vpn.used() == 2


def test_a_check_that_was_cut_off_is_done_again(vpn: VpnLab, ours: Importing) -> None:
    ref = ours.send(people(1))
    assert [ours.look(ref), ours.look(ref)] == ["checking", "ready"]


def test_what_is_a_bug_ends_the_import_instead_of_keeping_people_waiting(
    vpn: VpnLab, ours: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = ours.send(people(1))
    monkeypatch.setattr(looking, "attempt", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        ours.look(ref)
    assert (ours.record(ref).state, ours.told(ref)) == ("bad", [(None, None, "internal")])


def test_an_import_that_fails_takes_nothing_and_says_why(vpn: VpnLab, ours: Importing) -> None:
    ref = ours.checked(people(1, 2, 3))
    vpn.ask(row(2))
    ours.start(ref)
    ours.look(ref)
    assert (ours.record(ref).state, vpn.used()) == ("failed", 1)
    assert ours.told(ref) == [(3, "用户名", "import.username_taken")]


def test_whoever_was_removed_meanwhile_imports_nothing(vpn: VpnLab, ours: Importing) -> None:
    ref = ours.checked(people(1))
    ours.start(ref)
    with transaction(vpn.sessions) as session:
        leavers.remove_leaver(session, OPERATOR, ours.actor.id)
    ours.look(ref)
    assert (ours.record(ref).state, vpn.used(), ours.told(ref)) == ("failed", 0, [(None, None, "import.asker_gone")])


def test_whoever_lost_the_role_meanwhile_imports_nothing(vpn: VpnLab, ours: Importing) -> None:
    ref = ours.checked(people(1))
    ours.start(ref)
    ours.change(role="auditor", department_id=None)
    ours.look(ref)
    assert (ours.record(ref).state, vpn.used(), ours.told(ref)) == ("failed", 0, [(None, None, "forbidden")])


def test_whoever_is_of_another_department_by_now_imports_nothing(vpn: VpnLab, ours: Importing) -> None:
    ref = ours.checked(people(1))
    ours.start(ref)
    with vpn.sessions() as session:
        finance = session.scalar(text("SELECT id FROM departments WHERE code = 'finance'"))
    ours.change(department_id=finance)
    ours.look(ref)
    assert (ours.record(ref).state, vpn.used(), ours.told(ref)) == ("failed", 0, [(None, None, "not_found")])


def test_the_host_itself_may_import(vpn: VpnLab, ours: Importing) -> None:
    ours.actor = OPERATOR
    ref = ours.checked(people(1))
    ours.start(ref)
    ours.look(ref)
    assert vpn.used() == 1


def test_what_was_thrown_away_is_gone_and_what_was_done_is_not(vpn: VpnLab, ours: Importing) -> None:
    first, second = ours.checked(people(1)), ours.send(people(2))
    for ref in (first, second):
        with transaction(vpn.sessions) as session:
            vpn_imports.discard(session, ours.actor, ref)
        assert ours.look(ref) == "gone"
    third = ours.checked(people(3))
    ours.start(third)
    for _ in range(2):
        with pytest.raises(ImportUnderWay), transaction(vpn.sessions) as session:
            vpn_imports.discard(session, ours.actor, third)
        ours.look(third)
    assert vpn.used() == 1


def test_what_nobody_started_within_a_day_is_forgotten(vpn: VpnLab, ours: Importing) -> None:
    waiting, done = ours.checked(people(1)), ours.checked(people(2))
    ours.start(done)
    ours.look(done)
    now = datetime.now(UTC)
    for later, count in ((timedelta(hours=23), 0), (timedelta(hours=25), 1)):
        with transaction(vpn.sessions) as session:
            assert vpn_imports.forget_old(session, now + later) == count
    assert (ours.look(waiting), ours.look(done)) == ("gone", "done")


def test_a_department_has_few_imports_at_a_time(ours: Importing) -> None:
    for number in range(10):
        ours.send(people(number))
    with pytest.raises(TooManyImports):
        ours.send(people(11))


def test_what_nobody_sent_is_no_import(ours: Importing) -> None:
    with pytest.raises(Refusal):
        ours.start(uuid4())


def test_a_workbook_is_imported_like_a_table(vpn: VpnLab, ours: Importing) -> None:
    ref = ours.checked(workbook(("姓名", "工号", "用户名"), ("王芳", 1001, "wang")), "people.xlsx")
    assert ours.record(ref).state == "ready"
