"""Who gets a ticket, and what the page of a console shows."""

import re

import pytest
from sqlalchemy import select

from controlplane.db import transaction
from controlplane.models import ConsoleTicket
from tests.callers import Callers
from tests.factories import vm
from tests.web.visitors import Visitors


@pytest.fixture
def machine(http: Callers) -> str:
    """Id of a VM of ours that runs."""
    ident: str = http.ours.post("/vms", vm()).json["id"]
    http.work(ident)
    return ident


@pytest.fixture
def visit(http: Callers) -> Visitors:
    """The people of tests, at browsers without script."""
    return Visitors(http)


def test_a_ticket_is_a_secret_of_which_a_hash_alone_is_kept(http: Callers, machine: str) -> None:
    answer = http.ours.post(f"/vms/{machine}/console")
    assert answer.json["seconds"] == 60
    assert re.fullmatch(r"ws://localhost:\d+/console", answer.json["url"])
    secret = answer.json["ticket"]
    assert secret not in answer.json["url"]
    with transaction(http.sessions) as session:
        kept = session.scalars(select(ConsoleTicket)).one()
        assert len(kept.secret_hash) == 32
        assert secret.encode() not in kept.secret_hash


def test_another_departments_machine_is_not_found_and_who_may_change_nothing_opens_nothing(
    http: Callers, machine: str, visit: Visitors
) -> None:
    assert http.theirs.post(f"/vms/{machine}/console").status_code == 404
    auditor = visit("auditor")
    auditor.get("/")
    asked = auditor.client.post(f"/api/v1/vms/{machine}/console", headers={"X-CSRFToken": auditor.page.csrf})
    assert asked.status_code == 403
    assert auditor.get(f"/vms/{machine}/console").status == 403


def test_a_machine_that_is_off_has_no_console_and_the_refusal_says_so(http: Callers, machine: str) -> None:
    http.ours.post(f"/vms/{machine}/stop")
    http.work(machine)
    refused = http.ours.post(f"/vms/{machine}/console")
    assert (refused.status_code, refused.json["code"]) == (409, "not_now")
    assert "running" in refused.json["detail"]


def test_a_ticket_is_kept_with_no_idempotency_key(http: Callers, machine: str) -> None:
    refused = http.ours.post(f"/vms/{machine}/console", headers={"Idempotency-Key": "again"})
    assert refused.status_code == 422


def test_tickets_of_yesterday_are_forgotten(http: Callers, machine: str) -> None:
    http.ours.post(f"/vms/{machine}/console")
    with transaction(http.sessions) as session:
        old = session.scalars(select(ConsoleTicket)).one()
        old.expires_at = old.expires_at.replace(year=2020)
    http.ours.post(f"/vms/{machine}/console")
    with transaction(http.sessions) as session:
        assert session.scalars(select(ConsoleTicket)).one().expires_at.year != 2020


def test_the_page_of_a_console_alone_may_talk_to_the_proxy(http: Callers, machine: str, visit: Visitors) -> None:
    manager = visit("manager")
    page = manager.get(f"/vms/{machine}/console")
    assert page.status == 200
    assert page.all("//*[@id='console']/@data-ticket") == [f"/api/v1/vms/{machine}/console"]
    policy = page.answer.headers["Content-Security-Policy"]
    assert re.search(r"; connect-src 'self' ws://localhost:\d+$", policy)
    other = manager.get(f"/vms/{machine}")
    assert "connect-src" not in other.answer.headers["Content-Security-Policy"]
    assert other.all(f"//a[@href='/vms/{machine}/console']")


def test_the_page_of_a_machine_that_is_off_or_not_ones_own_to_change_links_to_no_console(
    http: Callers, machine: str, visit: Visitors
) -> None:
    assert not visit("auditor").get(f"/vms/{machine}").all("//a[contains(@href, '/console')]")
    http.ours.post(f"/vms/{machine}/stop")
    http.work(machine)
    assert not visit("manager").get(f"/vms/{machine}").all("//a[contains(@href, '/console')]")
