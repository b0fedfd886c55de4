"""What a department lets in, on its page: shown to its people, said by its manager."""

import pytest

from tests.callers import Callers
from tests.web.visitors import Visitors

WEB = {"protocol": "tcp", "ports": "443", "source": "10.0.0.0/8", "note": "网站"}


@pytest.fixture
def path(http: Callers) -> str:
    """The address of the department's page."""
    return f"/departments/{http.admin.get('/departments/environment').json['id']}"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_manager_lets_something_in_and_takes_it_back(
    http: Callers, visit: Visitors, path: str, language: str
) -> None:
    browser = visit("manager", language)
    assert not browser.get(f"{path}?tab=ingress").all("//table")
    answer = browser.post(f"{path}/ingress", WEB)
    assert answer.location == f"{path}?tab=ingress"
    page = browser.get(answer.location)
    assert page.texts("//tbody/tr/*")[:4] == ["10.0.0.0/8", "TCP", "443", "网站"]
    assert page.all("//form/@data-confirm")[0].count("tcp/443 10.0.0.0/8") == 1
    [to] = page.all("//tbody//form/@action")
    assert browser.post(to).location == f"{path}?tab=ingress"
    assert http.ours.get("/ingress-rules").json["items"] == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"ports": "80-22"}, "ports"),
        ({"protocol": "icmp"}, "ports"),
        ({"protocol": "ipv6-icmp", "ports": ""}, "protocol"),
        ({"source": "10.0.0.1"}, "source"),
        ({"note": "x" * 201}, "note"),
    ],
)
def test_what_no_rule_may_say_is_said_beside_its_field_and_the_form_keeps_what_was_typed(
    visit: Visitors, path: str, changes: dict[str, str], field: str
) -> None:
    browser = visit("manager")
    browser.get(path)
    page = browser.post(f"{path}/ingress", {**WEB, **changes})
    assert page.status == 422
    assert page.all("//*[@aria-invalid]/@name") == [field]
    assert page.all("//input[@name='source']/@value") == [{**WEB, **changes}["source"]]


def test_one_rule_twice_is_refused_in_the_readers_language(visit: Visitors, path: str) -> None:
    browser = visit("manager", "zh")
    browser.get(path)
    browser.post(f"{path}/ingress", WEB)
    page = browser.post(f"{path}/ingress", WEB)
    assert (page.status, page.text("//*[@id='error-source']")) == (
        422,
        "环境保护厅已经放行 tcp/443 10.0.0.0/8，无需再添加。",
    )


def test_a_colleague_reads_and_a_stranger_learns_nothing(http: Callers, visit: Visitors, path: str) -> None:
    made = http.ours.post("/ingress-rules", WEB).json["id"]
    colleague = visit("colleague")
    page = colleague.get(f"{path}?tab=ingress")
    assert page.texts("//tbody//th") == ["10.0.0.0/8"]
    assert not page.all("//main//form")
    assert colleague.post(f"{path}/ingress", WEB).status == 403
    stranger = visit("stranger")
    stranger.get("/")
    assert stranger.post(f"{path}/ingress", WEB).status == 404
    assert stranger.post(f"/ingress-rules/{made}/delete").status == 404
    assert len(http.ours.get("/ingress-rules").json["items"]) == 1
