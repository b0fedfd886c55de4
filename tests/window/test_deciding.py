"""A request goes from hand to hand: who may decide, what is held meanwhile, and what comes of it."""

from dataclasses import replace
from uuid import UUID

import pytest

from controlplane.db import transaction
from controlplane.errors import (
    AlreadyDecided,
    ApprovalMissing,
    CannotHandTo,
    Forbidden,
    Invalid,
    NotFound,
    NotNow,
    NoTransfer,
    OverQuota,
    OwnRequest,
)
from controlplane.models import Resource
from controlplane.services import asking, deciding, departments, systems
from controlplane.services.asking import Drafted
from tests.people import ADMIN
from tests.window.conftest import LIMITS, Office, machines


def states(office: Office) -> list[str]:
    with office.sessions() as session:
        return sorted(state for (state,) in session.query(Resource.state))


def test_what_no_rule_applies_to_is_carried_out_at_once(office: Office) -> None:
    request = office.request(office.ask("colleague", *machines(2)))
    assert (request.state, request.steps, states(office)) == ("fulfilling", [], ["building", "building"])
    assert office.balance() == (0, 4)


def test_five_machines_and_a_quota_raise_go_through_two_approvers_of_whom_the_asker_is_none(office: Office) -> None:
    office.rule("many", ("department_manager", 1), ("system_admin", 2), do=["create"], amounts={"vm": 3})
    ask = office.ask("manager", *machines(5), {"do": "quota", "class": "vcpu", "by": 4})
    assert office.request(ask).state == "submitted"
    assert office.balance() == (6, 0)
    with pytest.raises(OwnRequest):
        office.decide("manager", ask)
    with pytest.raises(Forbidden):
        office.decide("admin", ask)
    assert office.decide("deputy", ask).state == "in_review"
    assert states(office) == []
    assert office.decide("admin", ask).state == "fulfilling"
    assert states(office) == ["building"] * 5
    assert office.balance() == (0, 10)


def test_a_decision_is_refused_once_the_quota_was_taken_away(office: Office) -> None:
    office.rule("all", ("system_admin", 1))
    ask = office.ask("colleague", *machines(5))
    with transaction(office.sessions) as session:
        departments.set_quota(session, ADMIN, office.centre.department, LIMITS | {"vcpu": 9})
    with pytest.raises(OverQuota) as refused:
        office.decide("admin", ask)
    assert refused.value.numbers()["asked"] == 10
    assert (office.request(ask).state, office.balance(), states(office)) == ("submitted", (10, 0), [])


@pytest.mark.parametrize(("verdict", "state"), [("refuse", "refused"), ("return", "returned")])
def test_what_is_denied_holds_nothing_any_more(office: Office, verdict: str, state: str) -> None:
    office.rule("all", ("system_admin", 1))
    ask = office.ask("colleague", *machines(3))
    assert office.balance() == (6, 0)
    with pytest.raises(Invalid):
        office.decide("admin", ask, verdict)  # type: ignore[arg-type]
    assert office.decide("admin", ask, verdict, "太多了").state == state  # type: ignore[arg-type]
    assert (office.balance(), states(office)) == ((0, 0), [])


def test_a_request_that_was_returned_can_be_changed_and_goes_round_again(office: Office) -> None:
    office.rule("all", ("system_admin", 1))
    ask = office.ask("colleague", *machines(5))
    office.decide("admin", ask, "return", "少一些")
    with transaction(office.sessions) as session:
        asking.amend(session, office.people["colleague"], ask, {"items": machines(1)})
    office.submit("colleague", ask)
    assert office.balance() == (2, 0)
    assert [(step.round, step.state) for step in office.request(ask).steps] == [(1, "returned"), (2, "open")]
    assert office.decide("admin", ask).state == "fulfilling"


def test_two_approvals_are_given_by_two_people(office: Office) -> None:
    office.rule("twice", ("system_admin", 1), ("system_admin", 2))
    ask = office.ask("colleague", *machines(1))
    office.decide("admin", ask)
    with pytest.raises(AlreadyDecided):
        office.decide("admin", ask)
    assert office.decide("other_admin", ask).state == "fulfilling"


def test_approvals_of_one_stage_are_open_at_once(office: Office) -> None:
    office.rule("both", ("system_admin", 1), ("security_admin", 1), mlps_level=2)
    ask = office.ask("colleague", *machines(1))
    assert office.decide("security", ask).state == "in_review"
    assert office.decide("admin", ask).state == "fulfilling"


def test_a_quota_is_raised_by_the_system_administrator_whatever_the_rules_say(office: Office) -> None:
    ask = office.ask("manager", {"do": "quota", "class": "vcpu", "by": 5})
    assert [step.role for step in office.request(ask).steps] == ["system_admin"]
    with pytest.raises(Forbidden):
        office.decide("deputy", ask)
    assert office.decide("admin", ask).state == "done"


def test_nobody_decides_on_what_another_department_asks(office: Office) -> None:
    office.rule("all", ("department_manager", 1))
    ask = office.ask("colleague", *machines(1))
    with pytest.raises(NotFound):
        office.decide("stranger", ask)


def test_what_was_decided_is_not_decided_again(office: Office) -> None:
    office.rule("all", ("system_admin", 1))
    ask = office.ask("colleague", *machines(1))
    office.decide("admin", ask)
    with pytest.raises(NotNow):
        office.decide("other_admin", ask)


def handed_over(office: Office) -> UUID:
    office.rule("all", ("department_manager", 1))
    ask = office.ask("manager", *machines(1))
    with pytest.raises(Forbidden):
        office.decide("colleague", ask)
    with transaction(office.sessions) as session:
        deciding.hand_over(session, office.people["deputy"], ask, "colleague", office.now)
    return ask


@pytest.mark.parametrize("who", ["colleague", "deputy"])
def test_a_step_that_was_handed_over_is_decided_there_or_taken_back_by_its_role(office: Office, who: str) -> None:
    assert office.decide(who, handed_over(office)).state == "fulfilling"


def test_a_token_decides_nothing_that_it_was_not_made_for_though_it_was_handed_to_its_owner(office: Office) -> None:
    ask = handed_over(office)
    office.people["reader"] = replace(office.people["colleague"], actions=frozenset({"request.read"}))
    with pytest.raises(Forbidden):
        office.decide("reader", ask)


def test_a_step_is_not_handed_to_somebody_who_gave_another_one_of_the_round(office: Office) -> None:
    office.rule("twice", ("system_admin", 1), ("system_admin", 2))
    ask = office.ask("colleague", *machines(1))
    office.decide("admin", ask)
    with pytest.raises(CannotHandTo), transaction(office.sessions) as session:
        deciding.hand_over(session, office.people["other_admin"], ask, "admin", office.now)


def test_a_rule_that_came_meanwhile_keeps_the_last_approval_from_carrying_it_out(office: Office) -> None:
    office.rule("all", ("system_admin", 1))
    ask = office.ask("colleague", *machines(1))
    office.rule("more", ("security_admin", 1))
    with pytest.raises(ApprovalMissing):
        office.decide("admin", ask)
    assert (office.request(ask).state, states(office)) == ("submitted", [])


def test_a_department_does_not_lower_the_level_of_its_system(office: Office) -> None:
    with pytest.raises(Forbidden), transaction(office.sessions) as session:
        systems.update(session, office.people["manager"], office.centre.system, {"mlps_level": 1})


def test_a_department_learns_nothing_of_the_quota_of_another(office: Office) -> None:
    [made] = office.request(office.ask("colleague", *machines(1))).items
    with transaction(office.sessions) as session:
        session.connection().exec_driver_sql("UPDATE resources SET state = 'running'")
        [vm] = session.query(Resource.id)
        departments.set_quota(session, ADMIN, office.centre.other, {"vcpu": 1})
    item = {"do": "transfer", "resource": str(vm.id), "department": office.centre.other, "system": office.centre.system}
    ask = office.ask("colleague", item)
    problems = []
    for who in ("colleague", "admin"):
        with transaction(office.sessions) as session:
            problems.append(deciding.impact(session, office.people[who], ask).problem)
    assert [type(problem) for problem in problems] == [NoTransfer, OverQuota]
    assert problems[0] is not None and problems[0].numbers() == {}
    assert made["do"] == "create"


def test_an_ask_that_does_not_fit_is_refused_when_it_is_submitted_and_stays_a_draft(office: Office) -> None:
    office.rule("all", ("system_admin", 1))
    with transaction(office.sessions) as session:
        drafted = asking.draft(
            session, office.people["colleague"], office.centre.department, Drafted("太大", "", machines(6))
        )
    with pytest.raises(OverQuota):
        office.submit("colleague", drafted.id)
    assert (office.request(drafted.id).state, office.balance()) == ("draft", (0, 0))


def test_an_approver_sees_what_it_would_do_and_nothing_is_done(office: Office) -> None:
    office.rule("all", ("system_admin", 1))
    ask = office.ask("colleague", *machines(3))
    with transaction(office.sessions) as session:
        seen = deciding.impact(session, office.people["admin"], ask)
    assert seen.problem is None
    assert [one.prepared.name for one in seen.made] == ["web-01", "web-02", "web-03"]
    [after] = [b for b in seen.after if b.resource_class == "vcpu"]
    assert (after.held, after.used) == (0, 6)
    assert (office.request(ask).state, office.balance(), states(office)) == ("submitted", (6, 0), [])
