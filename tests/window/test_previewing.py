"""Before a request is submitted, its asker sees what that would do, and nothing is done."""

from uuid import UUID

import pytest

from controlplane import lookups
from controlplane.db import transaction
from controlplane.errors import Invalid, NotNow, NotYourRequest, OverQuota
from controlplane.models import RequestStep
from controlplane.services import asking, deciding
from controlplane.services.asking import Drafted, Preview
from tests.window.conftest import Office, machines


def drafted(office: Office, who: str, *items: dict[str, object]) -> UUID:
    with transaction(office.sessions) as session:
        wanted = Drafted("测试", "", items)
        return asking.draft(session, office.people[who], office.centre.department, wanted).id


def previewed(office: Office, who: str, ref: UUID) -> Preview:
    with transaction(office.sessions) as session:
        return asking.preview(session, office.people[who], ref)


def test_the_asker_sees_what_would_be_held_and_who_would_have_to_approve(office: Office) -> None:
    office.rule("many", ("department_manager", 1), ("system_admin", 2), do=["create"], amounts={"vm": 3})
    ref = drafted(office, "colleague", *machines(4), {"do": "quota", "class": "vcpu", "by": 2})
    seen = previewed(office, "colleague", ref)
    assert seen.understood.hold == {"vm": 4, "vcpu": 6, "memory_mib": 16384, "disk_gib": 200}
    assert [(s.stage, s.role, s.rule) for s in seen.steps] == [
        (1, "department_manager", "many"),
        (2, "system_admin", "many"),
    ]
    request = office.request(ref)
    assert (request.state, request.held, request.steps, office.balance()) == ("draft", False, [], (0, 0))


def test_what_nobody_has_to_approve_is_tried_out_whole(office: Office) -> None:
    ref = drafted(office, "colleague", *machines(2))
    assert previewed(office, "colleague", ref).steps == []
    assert (office.request(ref).state, office.balance()) == ("draft", (0, 0))


def test_a_preview_refuses_what_submitting_would_refuse(office: Office) -> None:
    office.rule("all", ("system_admin", 1))
    with pytest.raises(OverQuota):
        previewed(office, "colleague", drafted(office, "colleague", *machines(6)))
    ref = drafted(office, "colleague", *machines(1))
    with pytest.raises(NotYourRequest):
        previewed(office, "manager", ref)
    office.submit("colleague", ref)
    with pytest.raises(NotNow):
        previewed(office, "colleague", ref)


def test_a_draft_may_be_empty_and_is_not_submitted_so(office: Office) -> None:
    ref = drafted(office, "colleague")
    with pytest.raises(Invalid):
        previewed(office, "colleague", ref)
    with pytest.raises(Invalid):
        office.submit("colleague", ref)
    assert office.request(ref).state == "draft"


def test_whose_turn_it_is_is_told_with_the_reason_why_not(office: Office) -> None:
    office.rule("both", ("department_manager", 1), ("system_admin", 2))
    request = office.request(office.ask("manager", *machines(1)))
    whose = {who: deciding.turn(actor, request) for who, actor in office.people.items()}
    assert isinstance(whose["deputy"], RequestStep)
    assert getattr(whose["manager"], "code", "") == "request.own"
    assert [whose[who] for who in ("colleague", "admin", "security")] == [None, None, None]


def test_what_waits_is_counted_and_named_for_those_whom_it_waits_for(office: Office) -> None:
    office.rule("all", ("department_manager", 1))
    ref = office.ask("manager", *machines(1))
    with transaction(office.sessions) as session:
        deciding.hand_over(
            session,
            office.people["deputy"],
            office.ask("manager", *machines(1, anti_affinity="a")),
            "colleague",
            office.now,
        )
    with office.sessions() as session:
        counts = {who: lookups.desk_count(session, actor) for who, actor in office.people.items()}
        waiting = lookups.waiting_on(session, office.people["deputy"], [ref])
    assert counts == {
        "manager": 1,
        "deputy": 1,
        "colleague": 1,
        "stranger": 0,
        "admin": 0,
        "other_admin": 0,
        "security": 0,
    }
    assert [(w.role, w.person) for w in waiting[ref]] == [("department_manager", None)]
