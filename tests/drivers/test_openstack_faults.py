"""What a region's silence, trouble and broken answers become: Unreachable, and never a machine that is gone."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from traceback import format_exception
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from provisioners.contract import Missing, Rejected, Unreachable
from provisioners.openstack_driver import OpenStackDriver, connect
from provisioners.openstack_link import Settings
from tests.drivers.makers import a_machine
from tests.drivers.openstack_double import (
    NETWORK,
    NOVAS,
    PASSWORD,
    PROJECT,
    SERVERS,
    TOKENS,
    USERNAME,
    Double,
    a_server,
)

SPEC = a_machine(id=uuid7())
DETAIL = f"{SERVERS}/detail"
ACTION = f"{SERVERS}/{NOVAS}/action"
WRONG = {"error": {"code": 401, "message": "The request you have made requires authentication.", "title": "No"}}
PAGE_OF_A_PROXY = "<html><body><h1>It works!</h1></body></html>"
TROUBLES = {
    "too many": {"status": 429, "body": {"overLimit": {"message": "slow down"}}, "headers": {"Retry-After": "60"}},
    "broken": {"status": 500, "body": {"computeFault": {"code": 500, "message": "Unexpected API Error."}}},
    "no answer from inside": {"status": 502, "body": "<html>Bad Gateway</html>"},
    "starting": {"status": 503, "body": "no server is available", "headers": {"Retry-After": "60"}},
}
LISTS = {
    "discover": lambda driver: driver.discover(),
    "observe": lambda driver: driver.observe([SPEC.id]),
    "create": lambda driver: driver.create(SPEC),
    "delete": lambda driver: driver.delete(SPEC.id),
}
every_list = pytest.mark.parametrize("act", LISTS.values(), ids=LISTS.keys())


def running(region: Double) -> None:
    """Let the machine of SPEC run."""
    region.answers("GET", DETAIL, body={"servers": [a_server(SPEC)]})


# --- trouble


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("too many", "429 slow down"),
        ("broken", "500 Unexpected API Error."),
        ("no answer from inside", "502 Bad Gateway"),
        ("starting", "503 Service Unavailable"),
    ],
)
def test_a_service_in_trouble_is_unreachable_with_its_words_and_asked_once(
    region: Double, driver: OpenStackDriver, trouble: str, words: str
) -> None:
    region.answers("GET", DETAIL, **TROUBLES[trouble])
    with pytest.raises(Unreachable, match=f"compute GET /servers/detail: {words}"):
        driver.discover()
    running(region)
    region.answers("POST", ACTION, **TROUBLES[trouble])
    with pytest.raises(Unreachable, match=words):
        driver.stop(SPEC)
    assert (len(region.asked("GET", DETAIL)), len(region.asked("POST", ACTION))) == (2, 1)


@pytest.mark.parametrize(("method", "path"), [("POST", TOKENS), ("GET", "/image/v2/images"), ("POST", SERVERS)])
@pytest.mark.parametrize("fate", ["hang up", "say nothing"])
def test_a_service_that_hangs_up_or_says_nothing_is_unreachable_in_time_and_used_once_it_speaks(
    region: Double, method: str, path: str, fate: str
) -> None:
    driver = connect(region.way_in(call_seconds=0.3), Path())
    region.answers(method, path, fate=fate, times=1)
    began = time.monotonic()
    with pytest.raises(Unreachable):
        driver.create(SPEC)
    assert time.monotonic() - began < 3
    assert len(region.asked(method, path)) == 1, "what may have been taken is not said twice"
    region.answers("POST", SERVERS, 202, {"server": {"id": "new-server"}})
    with pytest.raises(Exception, match="Nova is building it"):
        driver.create(SPEC)
    driver.close()


def test_a_region_that_is_not_there_is_unreachable() -> None:
    nowhere = {"auth_url": "http://127.0.0.1:9/v3", "username": "u", "password": "p", "project_name": "x"}
    driver = connect(nowhere, Path())
    with pytest.raises(Unreachable, match="9/v3: ConnectFailure"):
        driver.discover()


def test_a_service_that_is_not_in_the_catalogue_is_unreachable_by_name(region: Double, driver: OpenStackDriver) -> None:
    region.answers("POST", TOKENS, 201, {"token": region.token("identity", "network")})
    with pytest.raises(Unreachable, match="compute"):
        driver.discover()


# --- signing in


def test_an_expired_token_is_renewed_and_the_call_repeated_without_anybody_noticing(
    region: Double, driver: OpenStackDriver
) -> None:
    running(region)
    driver.discover()
    region.answers("GET", DETAIL, 401, WRONG, times=1)
    assert [machine.id for machine in driver.discover()] == [SPEC.id]
    assert [request.token for request in region.asked("GET", DETAIL)] == ["token-1", "token-1", "token-2"]


def test_a_departments_expired_token_is_renewed_as_well(region: Double, driver: OpenStackDriver) -> None:
    region.answers("POST", SERVERS, 401, WRONG, times=1)
    with pytest.raises(Exception, match="Nova is building it"):
        driver.create(SPEC)
    asked = [request.body["auth"]["scope"]["project"] for request in region.asked("POST", TOKENS)]
    assert asked[1:] == [{"id": PROJECT}] * 2


def test_wrong_credentials_are_unreachable_and_say_so(region: Double, driver: OpenStackDriver) -> None:
    region.answers("POST", TOKENS, 401, WRONG)
    with pytest.raises(Unreachable, match="requires authentication"):
        driver.discover()


def test_a_service_that_takes_no_token_of_ours_is_unreachable(region: Double, driver: OpenStackDriver) -> None:
    region.answers("GET", DETAIL, 401, WRONG)
    with pytest.raises(Unreachable, match="requires authentication"):
        driver.discover()
    assert len(region.asked("GET", DETAIL)) == 2


# --- broken answers


@every_list
@pytest.mark.parametrize("body", [PAGE_OF_A_PROXY, '{"servers": [', "[]", "{}", '{"servers": null}', None])
def test_an_answer_that_is_no_list_is_unreachable_and_no_empty_region(
    region: Double, driver: OpenStackDriver, act: Callable[[OpenStackDriver], Any], body: str | None
) -> None:
    region.answers("GET", DETAIL, 200, body)
    with pytest.raises(Unreachable):
        act(driver)
    assert not region.asked("POST", SERVERS)


@every_list
@pytest.mark.parametrize("path", [DETAIL, f"{NETWORK}/ports"])
def test_a_list_that_is_not_found_is_unreachable_and_no_empty_region(
    region: Double, driver: OpenStackDriver, act: Callable[[OpenStackDriver], Any], path: str
) -> None:
    region.answers("GET", path, 404, PAGE_OF_A_PROXY)
    if path != DETAIL:
        region.answers("POST", path, 404, PAGE_OF_A_PROXY)
    with pytest.raises(Unreachable):
        act(driver)


def test_only_novas_own_word_that_a_server_is_not_there_makes_it_missing(
    region: Double, driver: OpenStackDriver
) -> None:
    adopted = a_machine(id=NOVAS)
    region.answers("GET", f"{SERVERS}/{NOVAS}", 404, PAGE_OF_A_PROXY)
    with pytest.raises(Unreachable, match="404 Not Found, and not in JSON"):
        driver.start(adopted)
    region.answers("GET", f"{SERVERS}/{NOVAS}", 404, {"itemNotFound": {"code": 404, "message": "not found"}})
    with pytest.raises(Missing):
        driver.start(adopted)
    assert driver.observe([NOVAS]) == {}


def test_a_departments_project_is_not_removed_where_what_it_holds_cannot_be_read(
    region: Double, driver: OpenStackDriver
) -> None:
    region.answers("GET", SERVERS, 200, PAGE_OF_A_PROXY)
    with pytest.raises(Unreachable):
        driver.remove_tenant("dsj")


# --- many


def test_lists_of_several_pages_are_read_to_the_end(region: Double, driver: OpenStackDriver) -> None:
    def pages(path: str, *bodies: dict[str, Any]) -> None:
        for body in bodies:
            region.answers("GET", path, body=body, times=1)

    fields = "fields=id&fields=name&fields=device_id&fields=project_id&fields=description"
    following = f"{region.url}/x?limit=500&all_tenants=true&marker=last&{fields}"
    ids = [uuid7() for _ in range(4)]
    made, again = (a_server(a_machine(id=id)) for id in ids[:2])
    left, besides = ({"id": "p", "name": f"steppe-{id}-0", "device_id": "", "project_id": PROJECT} for id in ids[2:])
    links = [{"rel": "previous", "href": "/"}, {"rel": "next", "href": following}]
    pages(DETAIL, {"servers": [made], "servers_links": links}, {"servers": [again]})
    pages(f"{NETWORK}/ports", {"ports": [left], "ports_links": links}, {"ports": [besides], "ports_links": links[:1]})
    first, last = ({"projects": [{"id": f"{n}", "name": f"d{n}"}], "links": {"next": n and following}} for n in (1, 0))
    pages("/identity/v3/projects", first, last)
    assert {machine.id for machine in driver.discover()} == set(ids)
    for path in (DETAIL, f"{NETWORK}/ports", "/identity/v3/projects"):
        second = region.asked("GET", path)[1].query
        assert (second["marker"], second["limit"]) == (["last"], ["500"])
    assert len(region.asked("GET", f"{NETWORK}/ports")[1].query["fields"]) == 5


def test_a_hundred_machines_are_asked_for_in_calls_that_fit_into_an_address_line(
    region: Double, driver: OpenStackDriver
) -> None:
    ids = [uuid7() for _ in range(100)]
    assert driver.observe(ids) == {}
    assert not [request for request in region.requests if request.path.removeprefix(f"{SERVERS}/") in map(str, ids)]
    for path, name, prefix in ((DETAIL, "tags-any", ""), (f"{NETWORK}/ports", "name", "-0")):
        asked = [",".join(request.query[name]) for request in region.asked("GET", path)]
        assert len(asked) == 3
        assert all(len(line) < 4_000 for line in asked)
        assert all(any(f"steppe-{id}{prefix}" in line for line in asked) for id in ids)


# --- secrets


def test_a_password_is_in_no_error_no_log_line_and_nothing_that_is_shown(
    region: Double, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []
    driver = connect(region.way_in(), Path())
    for status, body in (
        (401, WRONG),
        (500, PAGE_OF_A_PROXY),
        (201, PAGE_OF_A_PROXY),
        (201, {"token": region.token()}),
    ):
        region.answers("POST", TOKENS, status, body)
        with pytest.raises(Unreachable) as failure:
            driver.discover()
        shown += format_exception(failure.value)
    for wrong in ({"user_name": "x"}, {"cloud": "x"}, {"call_seconds": "soon"}, {"password": [PASSWORD]}):
        with pytest.raises(Rejected) as refusal:
            connect({**region.way_in(), **wrong}, Path())
        shown += format_exception(refusal.value)
    settings = Settings.model_validate(region.way_in())
    shown += [repr(settings), str(settings), repr(driver), repr(driver.link), repr(vars(driver.link)), caplog.text]
    assert USERNAME in repr(settings)
    assert PASSWORD not in "".join(shown) + "".join(capfd.readouterr())
    driver.close()


# --- connections


@pytest.mark.parametrize(
    ("connection", "words"),
    [
        ({"cloud": "x", "tenant": "y"}, "tenant: Extra inputs are not permitted"),
        ({}, "give either cloud, or auth_url, username, password and project_name"),
        ({"cloud": "x", "auth_url": "http://x"}, "give either cloud"),
        ({"auth_url": "http://x", "username": "u", "password": "p"}, "give either cloud"),
        ({"cloud": "x", "call_seconds": 0}, "call_seconds: Input should be greater than 0"),
        ({"cloud": "x", "networks": ["gov"]}, "networks: "),
    ],
)
def test_a_connection_that_makes_no_sense_is_rejected_with_what_to_do(connection: dict[str, Any], words: str) -> None:
    with pytest.raises(Rejected, match=words) as refusal:
        connect(connection, Path())
    assert refusal.value.code == "openstack.bad_connection"


def test_a_cloud_that_the_worker_has_no_file_of_is_unreachable_by_name() -> None:
    with pytest.raises(Unreachable, match="north"):
        connect({"cloud": "north"}, Path()).discover()
