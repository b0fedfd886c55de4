"""Requests that nobody decides on in time: who is told, and when they are over."""

from controlplane.actor import system
from controlplane.db import transaction
from controlplane.models import AuditEvent, Notification, User
from controlplane.services import asking
from controlplane.services.following_up import FollowedUp, follow_up
from tests.window.conftest import Office, machines

NOTHING = FollowedUp(0, 0, 0, 0)


def followed(office: Office) -> FollowedUp:
    with transaction(office.sessions) as session:
        return follow_up(session, system("worker"), office.now)


def told(office: Office, event: str) -> list[str]:
    """Return who was told of an event."""
    with office.sessions() as session:
        rows = session.query(User.username).join(Notification).filter(Notification.event == event)
        return sorted(name for (name,) in rows)


def test_approvers_are_told_when_it_is_their_turn_and_reminded_once_before_it_is_due(office: Office) -> None:
    office.rule("two", ("department_manager", 1), ("system_admin", 2))
    ask = office.ask("colleague", *machines(1))
    assert told(office, "request.submitted") == ["deputy", "manager"]
    office.decide("deputy", ask)
    assert told(office, "request.submitted") == ["admin", "deputy", "manager", "other_admin"]
    assert followed(office) == NOTHING
    office.later(hours=65)
    assert followed(office) == FollowedUp(reminded=1, escalated=0, expired=0, done=0)
    assert followed(office) == NOTHING
    assert told(office, "step.reminder") == ["admin", "other_admin"]


def test_what_is_late_is_told_to_those_above_once(office: Office) -> None:
    office.rule("one", ("department_manager", 1))
    office.ask("colleague", *machines(1))
    office.later(hours=72)
    assert followed(office) == FollowedUp(reminded=1, escalated=1, expired=0, done=0)
    assert followed(office) == NOTHING
    assert told(office, "step.escalated") == ["admin", "other_admin"]
    with office.sessions() as session:
        assert session.query(AuditEvent).filter_by(action="request.escalate").count() == 1


def test_what_nobody_decides_on_expires_and_gives_back_what_it_held(office: Office) -> None:
    office.rule("one", ("system_admin", 1))
    ask = office.ask("colleague", *machines(2))
    assert office.balance() == (4, 0)
    office.later(days=30)
    assert followed(office).expired == 1
    request = office.request(ask)
    assert (request.state, request.held, [s.state for s in request.steps]) == ("expired", False, ["dropped"])
    assert office.balance() == (0, 0)
    assert told(office, "request.expired") == ["colleague"]


def test_a_request_is_done_once_all_that_it_made_is_there(office: Office) -> None:
    office.rule("one", ("system_admin", 1))
    ask = office.ask("colleague", *machines(2))
    office.decide("admin", ask)
    assert (followed(office).done, office.request(ask).state) == (0, "fulfilling")
    with transaction(office.sessions) as session:
        session.connection().exec_driver_sql("UPDATE resources SET state = 'running'")
    assert (followed(office).done, office.request(ask).state) == (1, "done")
    assert told(office, "request.done") == ["colleague"]


def test_a_withdrawn_request_gives_back_what_it_held_and_its_approvers_are_told(office: Office) -> None:
    office.rule("one", ("system_admin", 1))
    ask = office.ask("colleague", *machines(2))
    with transaction(office.sessions) as session:
        asking.withdraw(session, office.people["colleague"], ask, office.now)
    assert (office.request(ask).state, office.balance()) == ("withdrawn", (0, 0))
    assert told(office, "request.withdrawn") == ["admin", "other_admin"]


def test_the_asker_is_told_of_comments_and_decisions(office: Office) -> None:
    office.rule("one", ("system_admin", 1))
    ask = office.ask("colleague", *machines(1))
    with transaction(office.sessions) as session:
        asking.comment(session, office.people["admin"], ask, "请说明用途")
        asking.comment(session, office.people["colleague"], ask, "汛期监测")
    office.decide("admin", ask, "return", "请补充")
    assert (told(office, "request.commented"), told(office, "request.returned")) == (["colleague"], ["colleague"])
