"""Whoever has a link follows a request without an account, sees nothing else, and only as long as the link is good."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import structlog
from structlog.typing import EventDict

from controlplane.db import transaction
from controlplane.errors import LinkNoGood
from controlplane.models import AuditEvent, Request
from controlplane.progress_links import Link, written
from controlplane.secrets import Keys
from controlplane.services import progress_links
from tests.accounts import KEYS
from tests.callers import Callers
from tests.factories import given
from tests.people import ADMIN
from tests.web.visitors import Page, Visitors
from tests.window.conftest import machines
from tests.window.records import BEGAN, Given, made

NOW = datetime(2026, 11, 2, 12, 0, 0, 500, tzinfo=UTC)
REVIEWED = (
    Given("department_manager", BEGAN, BEGAN + timedelta(hours=1), "returned"),
    Given("department_manager", BEGAN + timedelta(hours=3), BEGAN + timedelta(hours=4), round=2),
    Given("system_admin", BEGAN + timedelta(hours=4), None, "open", round=2, stage=2),
)


def reviewed(http: Callers, **more: Any) -> str:
    about = {"state": "in_review", "reason": "因业务增长", "items": machines(2), **more}
    return made(http.sessions, "environment", *REVIEWED, submitted_at=BEGAN + timedelta(hours=3), **about)


def link_to(http: Callers, request: str) -> str:
    """Return the path of a new link."""
    answer = http.ours.post(f"/requests/{request}/progress-link", {})
    assert answer.status_code == 201, answer.text
    url: str = answer.json["url"]
    assert url.startswith("http://localhost/progress/")
    return url.removeprefix("http://localhost")


def test_a_link_shows_how_far_a_request_is_without_an_account(http: Callers, visit: Visitors) -> None:
    request = reviewed(http)
    page = visit.nobody().speak("zh").get(link_to(http, request))
    assert page.status == 200
    assert page.texts("//h1") == ["监测平台扩容"]
    assert "环境保护厅" in page.text("//dl")
    lines = ["提交申请", "部门管理员（第 1 轮）", "重新提交", "部门管理员（第 2 轮）", "系统管理员（第 2 轮）"]
    assert page.texts("//tbody/tr/th") == lines
    assert page.texts("//tbody/tr/td[1]") == ["—", "已退回", "—", "已批准", "待审批"]
    hours = [time.removeprefix("2026-11-02 ") for time in page.texts("//tbody/tr/td[2]")]
    assert hours == ["17:00", "18:00", "20:00", "21:00", "—"]


def test_a_link_shows_nothing_else(http: Callers, visit: Visitors) -> None:
    page = visit.nobody().get(link_to(http, reviewed(http)))
    for hidden in ("王芳", "李强", "同意", "因业务增长", "web-01", "monitoring"):
        assert hidden not in page.answer.text
    assert page.all("//nav | //form | //a[not(starts-with(@href, '?'))]") == []


def test_a_link_is_read_in_both_languages(http: Callers, visit: Visitors) -> None:
    path, browser = link_to(http, reviewed(http)), visit.nobody()
    assert "In review" in browser.get(f"{path}?lang=en").text()
    assert "审批中" in browser.get(f"{path}?lang=zh").text()
    assert browser.page.all("//a/@href") == ["?lang=en"]


def test_the_page_is_kept_from_search_engines_caches_and_the_next_page(http: Callers, visit: Visitors) -> None:
    for path in (link_to(http, reviewed(http)), "/progress/none"):
        page = visit.nobody().get(path)
        headers = page.answer.headers
        assert headers.getlist("Referrer-Policy") == ["no-referrer"]
        assert (headers["X-Robots-Tag"], headers["Cache-Control"]) == ("noindex, nofollow", "no-store")
        assert page.all("//meta[@name='robots']/@content") == ["noindex, nofollow"]


def without_chance(page: Page) -> str:
    """Return what a page says but for its token against forged requests."""
    return page.answer.text.replace(page.csrf, "")


def test_what_is_wrong_with_a_link_cannot_be_told(http: Callers, visit: Visitors) -> None:
    request, nobody = reviewed(http), visit.nobody()
    revoked = link_to(http, request)
    replaced = link_to(http, request)
    http.ours.delete(f"/requests/{request}/progress-link")
    ended = link_to(http, request)
    with transaction(http.sessions) as session:
        session.get_one(Request, UUID(request)).progress_until = datetime.now(UTC) - timedelta(seconds=1)
    tampered = revoked[:-1] + ("A" if revoked[-1] != "A" else "B")
    foreign = written(KEYS, Link(UUID(request), uuid4(), datetime.now(UTC)))
    paths = (revoked, replaced, ended, tampered, "/progress/none", f"/progress/{foreign}", "/progress/%FF.%00é")
    pages = [nobody.get(path) for path in paths[:-1]]
    assert {page.status for page in pages} == {404}
    assert len({without_chance(page) for page in pages}) == 1
    assert "no longer good" in pages[0].text("//h1") or "已失效" in pages[0].text("//h1")
    assert nobody.get(paths[-1]).status in {404, 422}


def test_a_link_expires(sessions: Any) -> None:
    given(sessions)
    request = made(sessions)
    with transaction(sessions) as session:
        link = progress_links.make(session, ADMIN, request, 90, NOW)
        token = written(KEYS, link)
        assert (
            progress_links.progress(session, KEYS, token, NOW + timedelta(days=90, seconds=-2)).title == "监测平台扩容"
        )
        with pytest.raises(LinkNoGood):
            progress_links.progress(session, KEYS, token, NOW + timedelta(days=90))


def test_a_link_of_another_installation_is_none_here(sessions: Any) -> None:
    given(sessions)
    request = made(sessions)
    with transaction(sessions) as session:
        link = progress_links.make(session, ADMIN, request, 90, NOW)
        with pytest.raises(LinkNoGood):
            progress_links.progress(session, KEYS, written(Keys(KEYS.sealing, b"others"), link), NOW)


def test_a_new_link_ends_the_one_before(http: Callers, visit: Visitors) -> None:
    request = reviewed(http)
    first, second = link_to(http, request), link_to(http, request)
    assert [visit.nobody().get(path).status for path in (first, second)] == [404, 200]
    shown = http.ours.get(f"/requests/{request}/progress-link").json
    assert shown["url"].endswith(second)


def test_a_link_is_made_and_ended_by_who_may_ask_in_the_department_alone(http: Callers) -> None:
    path = f"/requests/{reviewed(http)}/progress-link"
    assert http.theirs.post(path, {}).status_code == 404
    assert http.theirs.get(path).status_code == 404
    assert http.theirs.delete(path).status_code == 404
    assert http.audit.post(path, {}).status_code == 403
    assert http.ours.post(path, {"days": 366}).status_code == 422
    assert http.ours.get(path).json == {"url": None, "expires_at": None}


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[EventDict]:
    """The lines that the web server logs, also where a command of another test has set logging up before."""
    lines: list[EventDict] = []

    def note(_logger: Any, _method: str, line: EventDict) -> EventDict:
        lines.append(line)
        raise structlog.DropEvent

    every = structlog.make_filtering_bound_logger(0)
    logger = structlog.wrap_logger(None, [note], every, cache_logger_on_first_use=False)
    monkeypatch.setattr("web.app.log", logger)
    return lines


def test_neither_log_nor_trail_holds_a_link(http: Callers, visit: Visitors, logged: list[EventDict]) -> None:
    request = reviewed(http)
    path = link_to(http, request)
    nobody = visit.nobody()
    for asked in (path, f"{path}/", path[:-1]):
        nobody.get(asked)
    http.ours.get(f"/requests/{request}/progress-link")
    http.ours.delete(f"/requests/{request}/progress-link")
    token = path.rpartition("/")[2]
    assert {line["path"] for line in logged} >= {"/progress/..."}
    assert token[:-1] not in str(logged)
    with http.sessions() as session:
        events = session.query(AuditEvent).where(AuditEvent.action.like("request.%link%")).order_by(AuditEvent.id).all()
        assert [e.action for e in events] == ["request.link_progress", "request.unlink_progress"]
        assert token not in str([e.details for e in events])


def test_a_link_is_made_and_withdrawn_at_the_console(http: Callers, visit: Visitors) -> None:
    request = reviewed(http)
    browser = visit("colleague", "zh")
    browser.get("/vms")
    assert browser.post(f"/requests/{request}/progress-link", {"next": "/vms"}).location == "/vms"
    assert http.ours.get(f"/requests/{request}/progress-link").json["url"]
    assert browser.post(f"/requests/{request}/progress-link/end").status == 302
    assert http.ours.get(f"/requests/{request}/progress-link").json["url"] is None
    assert visit("stranger").get("/vms").status == 200


def test_the_link_is_good_for_who_is_signed_in_elsewhere(http: Callers, visit: Visitors) -> None:
    path = link_to(http, reviewed(http))
    page = visit("stranger").get(path)
    assert (page.status, page.all("//nav")) == (200, [])
    assert http.theirs.get("/requests").json["items"] == []
