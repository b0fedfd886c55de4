"""What every page is sent with: nothing inline, nothing from elsewhere, nothing kept by the browser."""

import re
from dataclasses import replace
from typing import Any

import pytest

from controlplane.bootstrap import Installation
from tests.callers import Callers
from tests.factories import vm
from tests.web.visitors import Page, Visitors
from web.app import create_app

ELSEWHERE = re.compile(r"^\s*(?:[a-z][a-z0-9+.-]*:)?//|^\s*(?:javascript|data|https?):", re.IGNORECASE)


def pages(http: Callers, visit: Visitors) -> dict[str, Page]:
    """Return every kind of page that the console has."""
    made = http.ours.post("/vms", vm()).json["id"]
    http.work(made)
    admin, nobody = visit("admin"), visit.nobody()
    department = http.admin.get("/departments/environment").json["id"]
    system = http.ours.get("/systems").json["items"][0]["id"]
    paths = ["/", "/vms", "/vms?q=none", "/vms/new", "/departments", "/systems", "/search?q=e", "/api/docs", "/nowhere"]
    paths += [f"/vms/{made}{part}" for part in ("", "?tab=history", "?tab=usage", "?tab=technical")]
    paths += [f"/vms/{made}/{form}" for form in ("resize", "rebuild", "delete")]
    paths += [f"/departments/{department}", f"/departments/{department}/quota", f"/systems/{system}"]
    found = {path: admin.get(path) for path in paths}
    found |= {f"nobody {path}": nobody.get(path) for path in ("/sign-in", "/nowhere")}
    found["refused"] = visit("manager").get("/metrics")
    found["wrong password"] = nobody.enter("admin", "wrong")
    found["forged"] = Page(visit("admin").client.post("/sign-out"))
    return found


def test_every_page_has_a_strict_content_security_policy(http: Callers, visit: Visitors) -> None:
    for name, page in pages(http, visit).items():
        policy = page.answer.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy, name
        assert "frame-ancestors 'none'" in policy, name
        assert "unsafe" not in policy and "*" not in policy and "http" not in policy, name
        assert page.answer.headers["X-Content-Type-Options"] == "nosniff", name
        assert page.answer.headers["Referrer-Policy"] == "same-origin", name


def test_no_page_has_a_script_or_a_style_inside(http: Callers, visit: Visitors) -> None:
    for name, page in pages(http, visit).items():
        assert page.all("//head/title"), name
        assert not page.all("//style | //@style | //script[not(@src)] | //@*[starts-with(name(), 'on')]"), name
        assert not page.all("//@*[starts-with(name(), 'hx-on') or starts-with(name(), 'hx-vals')]"), name


def test_no_page_asks_anybody_else_for_anything(http: Callers, visit: Visitors) -> None:
    for name, page in pages(http, visit).items():
        addresses = page.all("//@href | //@src | //@action | //@hx-get | //@hx-post | //@srcset | //@formaction")
        assert addresses, name
        assert not [a for a in addresses if ELSEWHERE.match(a)], name


def test_what_a_page_needs_is_served_here(http: Callers, visit: Visitors) -> None:
    nobody = visit.nobody()
    wanted = {a for page in pages(http, visit).values() for a in page.all("//link/@href | //script/@src | //img/@src")}
    for address in sorted(wanted):
        assert nobody.client.get(address).status_code == 200, address


def test_no_page_and_no_answer_is_kept_by_a_browser(http: Callers, visit: Visitors) -> None:
    for name, page in pages(http, visit).items():
        assert page.answer.headers["Cache-Control"] == "no-store", name
    assert http.admin.get("/vms").headers["Cache-Control"] == "no-store"
    assert http.nobody.get("/vms").headers["Cache-Control"] == "no-store"


def test_a_request_id_is_echoed_and_made_where_there_is_none(http: Callers, visit: Visitors) -> None:
    admin = visit("admin")
    assert admin.get("/", headers={"X-Request-Id": "from-outside-1"}).answer.headers["X-Request-Id"] == "from-outside-1"
    made = [admin.get("/").answer.headers["X-Request-Id"] for _ in range(2)]
    assert len(set(made)) == 2 and all(re.fullmatch("[0-9a-f]{32}", m) for m in made)
    assert http.nobody.get("/vms", headers={"X-Request-Id": "trace-9"}).json["request_id"] == "trace-9"


@pytest.mark.parametrize("given", ["", "a b", "a\tb", "é", "x" * 65, "<script>", "---"])
def test_a_request_id_that_could_do_harm_in_a_log_is_replaced(http: Callers, given: str) -> None:
    answer = http.admin.get("/vms", headers={"X-Request-Id": given})
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-Id"])


def test_the_session_cookie_is_for_the_server_alone(visit: Visitors) -> None:
    cookies = visit.nobody().enter("admin", visit.password("admin")).answer.headers.getlist("Set-Cookie")
    assert cookies
    for cookie in cookies:
        parts = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"httponly", "samesite=lax", "path=/"} <= parts


def test_every_cookie_goes_over_https_alone_where_that_is_set(installation: Installation, visit: Visitors) -> None:
    config = installation.settings.model_copy(update={"secure_cookies": True})
    client = create_app(replace(installation, settings=config)).test_client()
    over_tls: dict[str, Any] = {"base_url": "https://localhost", "headers": {"Referer": "https://localhost/sign-in"}}
    token = Page(client.get("/sign-in", **over_tls)).csrf
    form = {"csrf_token": token, "user": "manager", "password": visit.password("manager")}
    cookies = client.post("/sign-in", data=form, **over_tls).headers.getlist("Set-Cookie")
    assert {cookie.partition("=")[0] for cookie in cookies} == {"steppe", "steppe-known"}
    assert all("; Secure" in cookie and "; HttpOnly" in cookie for cookie in cookies)


def test_static_files_may_be_kept(visit: Visitors) -> None:
    assert visit.nobody().client.get("/static/steppe.css").headers["Cache-Control"] != "no-store"
