"""Each page of the console, found by walking the URL map as people of several roles: what no page may lack or hold."""

from collections.abc import Iterator

import pytest

from controlplane.actor import Role
from controlplane.bootstrap import Installation
from controlplane.db import make_sessions
from controlplane.settings import Settings
from tests.access.callers import Caller, signed_in
from tests.access.matrix import asks, send
from tests.access.place import Place, furnish
from tests.access.routes import OPEN
from tests.moving import engine_on
from tests.templates import Template
from tests.web.visitors import Page

ROLES: tuple[Role, ...] = ("system_admin", "security_admin", "audit_admin", "department_manager")
INLINE = "//style | //@style | //script[not(@src)] | //@*[starts-with(name(), 'on') or starts-with(name(), 'hx-on')]"
BUT_GET = {"POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}


@pytest.fixture(scope="module")
def pages(template: Template[None], tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, Page]]:
    """Every page that somebody of these roles gets, and those that are open, with its route and its reader."""
    with template.copy() as url, engine_on(url) as engine:
        config = Settings(database_url=url, state_dir=tmp_path_factory.mktemp("state"))
        place = furnish(Installation(config, url, engine, make_sessions(engine)))
        found = list(_pages(place))
        place.http.close()
        return found


def _pages(place: Place) -> Iterator[tuple[str, Page]]:
    for role in ROLES:
        yield from _pages_of(place, signed_in(place, f"reader-{role}", role, "session"))
    yield from _pages_of(place, Caller("nobody", "nobody", place.http.app.test_client()), {OPEN})


def _pages_of(place: Place, reader: Caller, only: set[str] | None = None) -> Iterator[tuple[str, Page]]:
    for ask in asks(place, frozenset(BUT_GET)):
        if not ask.rule.rule.startswith("/api/v1/") and (only is None or set(ask.route.actions) <= only):
            answer = send(place, reader, ask)
            if answer.mimetype == "text/html":
                yield f"{reader.name}: {ask.rule.rule} ({answer.status_code})", Page(answer)


def test_every_form_that_changes_something_carries_a_token_and_leads_nowhere_else(
    pages: list[tuple[str, Page]],
) -> None:
    forms = 0
    for name, page in pages:
        for form in page.all("//form[translate(@method, 'POST', 'post') = 'post']"):
            assert form.xpath(".//input[@name='csrf_token' and string-length(@value) > 20]"), name
            assert all(to.startswith("/") and to[1:2] not in {"/", "\\"} for to in form.xpath("@action")), name
            forms += 1
        assert page.all("//meta[@name='csrf-token']") or not page.all("//@hx-post | //@hx-put | //@hx-delete"), name
    assert forms > 100


def test_every_page_allows_no_script_but_ours_and_holds_none_itself(pages: list[tuple[str, Page]]) -> None:
    seen = set()
    for name, page in pages:
        headers = page.answer.headers
        policy = headers["Content-Security-Policy"]
        assert {"default-src 'self'", "object-src 'none'", "base-uri 'none'", "form-action 'self'"} <= set(
            policy.split("; ")
        ), name
        assert "frame-ancestors 'none'" in policy and "unsafe" not in policy and "*" not in policy, name
        assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "no-store"), name
        assert not page.all(INLINE), name
        seen.add(name.split()[1])
    assert len(seen) > 30, "a walk that sees few pages proves little"
