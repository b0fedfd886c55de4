"""The inbox, what one wants by mail, and webhooks in the console, in both languages."""

import pytest
from sqlalchemy import select

from controlplane.db import transaction
from controlplane.models import Delivery, User, Webhook
from controlplane.notices import Notice, tell
from tests.callers import Callers
from tests.factories import ask, vm
from tests.statements import noted
from tests.web.visitors import Visitor, Visitors


@pytest.fixture
def visit(http: Callers) -> Visitors:
    return Visitors(http)


def told(http: Callers, who: str, *titles: str) -> None:
    with transaction(http.sessions) as session:
        user = session.scalars(select(User.id).where(User.username == who)).one()
        for title in titles:
            tell(session, [Notice("request.done", {"number": 7, "title": title}, [user])])


def made(visitor: Visitor, **more: str) -> str:
    """Make a webhook; return the address of its page."""
    visitor.get("/webhooks/new")
    page = visitor.post("/webhooks/new", {"name": "tickets", "url": "https://hook.example/in", **more})
    assert page.status == 200, page.text()
    assert page.text().count("whsec_") >= 1
    return str(page.all("//a[contains(@class, 'btn-primary')]/@href")[0])


@pytest.mark.parametrize(
    ("language", "subject", "all_read"),
    [("en", "Done: request 7 web", "Mark all as read"), ("zh", "申请已办结：7 web", "全部标为已读")],
)
def test_the_inbox_tells_what_happened_and_how_much_is_unread(
    http: Callers, visit: Visitors, language: str, subject: str, all_read: str
) -> None:
    colleague = visit("colleague", language)
    told(http, "colleague", "web", "db")
    page = colleague.get("/notifications")
    assert subject in page.text("//table")
    assert page.texts("//header//span[@class='side-count']") == ["2"]
    assert all_read in page.text()
    assert colleague.post("/notifications/read", {}).status == 302
    page = colleague.get("/notifications")
    assert page.texts("//header//span[@class='side-count']") == []
    assert all_read not in page.text("//main//div[@class='heading']")


def test_one_line_is_marked_as_read_and_the_others_stay(http: Callers, visit: Visitors) -> None:
    colleague = visit("colleague")
    told(http, "colleague", "web", "db")
    page = colleague.get("/notifications?unread=true")
    [first, _] = page.all("//input[@name='id']/@value")
    assert colleague.post("/notifications/read", {"id": first, "next": "/notifications"}).location == "/notifications"
    assert len(colleague.get("/notifications?unread=true").all("//tbody/tr")) == 1
    colleague.post("/notifications/read", {"id": "no number"})
    assert len(colleague.get("/notifications?unread=true").all("//tbody/tr")) == 1, "what is no id marks nothing"


def test_an_empty_inbox_says_so(visit: Visitors) -> None:
    assert "Nothing was told to you yet" in visit("colleague").get("/notifications").text()


def test_the_count_of_unread_costs_one_query(http: Callers, visit: Visitors) -> None:
    colleague = visit("colleague")
    told(http, "colleague", *("x" for _ in range(120)))
    with noted(http.engine) as statements:
        page = colleague.get("/account")
    assert page.texts("//header//span[@class='side-count']") == ["99+"]
    assert len([s for s in statements if "FROM notifications" in s]) == 1


def test_one_chooses_on_the_own_page_where_and_about_what_mail_comes(visit: Visitors) -> None:
    colleague = visit("colleague")
    page = colleague.get("/account")
    assert len(page.all("//input[@name='category' and @checked]")) == 5
    assert colleague.post("/account/mail", {"email": "c@nm.example", "category": "leases"}).status == 302
    page = colleague.get("/account")
    assert page.all("//input[@name='category' and @checked]/@value") == ["leases"]
    assert page.all("//input[@name='email']/@value") == ["c@nm.example"]
    colleague.post("/account/mail", {"email": "nonsense"})
    page = colleague.get("/account")
    assert "no address of a mailbox" in page.text("//div[@id='flashes']")
    assert page.all("//input[@name='email']/@value") == ["c@nm.example"]


def test_a_manager_sets_the_address_of_a_colleague_and_a_stranger_does_not(http: Callers, visit: Visitors) -> None:
    visit("colleague")
    with http.sessions() as session:
        ref = session.scalars(select(User.id).where(User.username == "colleague")).one()
    manager, stranger = visit("manager"), visit("stranger")
    manager.get(f"/users/{ref}")
    manager.post(f"/users/{ref}/address", {"email": "c@nm.example"})
    assert "c@nm.example" in manager.get(f"/users/{ref}").text("//dl")
    stranger.get("/account")
    assert stranger.post(f"/users/{ref}/address", {"email": "x@nm.example"}).status == 404


def test_a_webhook_is_made_with_its_secret_shown_once(http: Callers, visit: Visitors) -> None:
    manager = visit("manager")
    where = made(manager)
    page = manager.get(where)
    assert "whsec_" not in page.text()
    assert "https://hook.example/in" in page.text() and "In service" in page.text()
    assert "tickets" in manager.get("/webhooks").text("//table")
    assert "tickets" in manager.get("/webhooks.csv").answer.text


def test_a_webhook_to_this_host_is_refused_beside_the_field(visit: Visitors) -> None:
    manager = visit("manager")
    manager.get("/webhooks/new")
    page = manager.post("/webhooks/new", {"name": "x", "url": "http://127.0.0.1/"})
    assert page.status == 422
    assert "127.0.0.1" in page.text("//div[@id='error-url']")
    assert manager.post("/webhooks/new", {"name": "", "url": ""}).status == 422
    where = made(manager)
    manager.get(where)
    assert manager.post(where, {"name": "x", "url": "http://localhost/"}).status == 422


def test_a_webhook_is_changed_disabled_rotated_and_deleted(visit: Visitors) -> None:
    manager = visit("manager")
    where = made(manager)
    manager.get(where)
    manager.post(where, {"name": "other", "url": "https://hook.example/new", "event": "lease.warning"})
    page = manager.get(where)
    assert "https://hook.example/new" in page.text()
    assert page.all("//input[@name='event' and @checked]/@value") == ["lease.warning"]
    manager.post(f"{where}/switch", {"enabled": "false"})
    assert "Disabled" in manager.get(where).text("//dl")
    assert "whsec_" in manager.post(f"{where}/rotate").text()
    assert manager.post(f"{where}/delete", {"name": "tickets"}).location == where, "it has another name by now"
    assert manager.post(f"{where}/delete", {"name": "other"}).location == "/webhooks"
    assert manager.get(where).status == 404


def test_the_log_says_what_was_answered_and_sends_once_more(http: Callers, visit: Visitors) -> None:
    manager = visit("manager")
    where = made(manager)
    with transaction(http.sessions) as session:
        [machine] = ask(session, vm())
        tell(session, [Notice("lease.warning", {"name": "web"}, resource=machine.id)])
        one = session.scalars(select(Delivery)).one()
        one.state, one.status, one.answer, one.last_error = "failed", 500, "<b>oops</b>", "answered 500"
    page = manager.get(where)
    assert "500 <b>oops</b>" in page.text("//section[@id='deliveries']")
    [delivery] = page.all("//input[@name='delivery']/@value")
    manager.post(f"{where}/replay", {"delivery": delivery})
    page = manager.get("/webhooks/deliveries")
    assert len(page.all("//tbody/tr")) == 2
    assert len(manager.get("/webhooks/deliveries?state=failed").all("//tbody/tr")) == 1
    assert "answered 500" in manager.get("/webhooks/deliveries.csv").answer.text
    assert "Nothing was delivered yet" in visit("stranger").get("/webhooks/deliveries").text()


def test_who_may_not_set_up_webhooks_is_not_shown_them(http: Callers, visit: Visitors) -> None:
    assert not visit("colleague").get("/account").all("//nav//a[@href='/webhooks']")
    assert visit("manager").get("/account").all("//nav//a[@href='/webhooks']")
    with http.sessions() as session:
        assert session.scalars(select(Webhook)).all() == []
