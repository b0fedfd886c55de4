"""Where webhooks may not go, whichever way it is written, and that what was judged is what is connected to."""

import socket
import threading
from contextlib import suppress

import pytest

from controlplane.errors import ForbiddenTarget, NoWebhookUrl
from controlplane.telling import posting
from controlplane.telling.targets import Allowed, check_literal, parsed, resolve, target
from tests.notices.certificates import Certificates
from tests.notices.conftest import Desk
from tests.notices.hooks import Receiver
from tests.notices.test_webhooks import about_a_machine

ANYWHERE = Allowed()
REFUSED = [
    *("127.0.0.1", "127.1.2.3", "0.0.0.0", "0", "0.1.2.3", "2130706433", "0x7f000001", "0177.0.0.1", "127.1"),
    *("169.254.169.254", "169.254.1.1", "2852039166", "224.0.0.1", "255.255.255.255", "100.100.100.200"),
    *("[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:169.254.169.254]", "[::ffff:0:0]", "[::127.0.0.1]"),
    *("[fe80::1]", "[fe80::1%25lo]", "[ff02::1]", "[fd00:ec2::254]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"),
]


@pytest.mark.parametrize("host", REFUSED)
def test_this_host_and_what_only_it_can_reach_are_refused_however_they_are_written(host: str) -> None:
    with pytest.raises((ForbiddenTarget, NoWebhookUrl)):
        check_literal(f"http://{host}/", ANYWHERE)
    with pytest.raises((ForbiddenTarget, NoWebhookUrl, OSError)):
        target(f"http://{host}/", ANYWHERE, resolve)


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST.", "a.localhost"])
def test_a_name_of_this_host_is_refused_before_it_is_asked_for(name: str) -> None:
    with pytest.raises(ForbiddenTarget):
        check_literal(f"https://{name}/", ANYWHERE)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "fe80::1%eth0"])
def test_a_name_that_leads_to_such_an_address_is_refused_even_where_others_are_good(address: str) -> None:
    with pytest.raises(ForbiddenTarget):
        target("https://hook.example/", ANYWHERE, lambda _host, _port: ["10.0.0.1", address])


@pytest.mark.parametrize("address", ["10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fd12::1", "8.8.8.8"])
def test_private_and_public_networks_are_allowed(address: str) -> None:
    found = target("https://hook.example/in?a=b", ANYWHERE, lambda _host, _port: [address])
    assert (found.addresses, found.host, found.port, found.path) == ((address,), "hook.example", 443, "/in?a=b")


def test_a_list_of_networks_allows_those_and_no_others() -> None:
    allowed = Allowed.of("127.0.0.0/8, 10.0.0.0/8")
    check_literal("http://127.0.0.1/", allowed)
    check_literal("http://[::ffff:10.0.0.1]/", allowed)
    with pytest.raises(ForbiddenTarget):
        check_literal("http://8.8.8.8/", allowed)


def test_a_listed_name_is_allowed_but_not_what_leads_to_this_host() -> None:
    allowed = Allowed.of("hook.example")
    assert target("http://HOOK.example/", allowed, lambda _host, _port: ["10.0.0.1"]).host == "hook.example"
    for url, address in (("http://hook.example/", "127.0.0.1"), ("http://other.example/", "10.0.0.1")):
        with pytest.raises(ForbiddenTarget):
            target(url, allowed, lambda _host, _port, found=address: [found])  # type: ignore[misc]


@pytest.mark.parametrize(
    "url",
    [
        *("", "hook.example", "ftp://hook.example/", "file:///etc/passwd", "http://", "http:///x", "http://a b/"),
        *("http://user:word@hook.example/", "http://hook.example/#part", "http://hook.example:99999/"),
        *("http://hook.example:0/", "http://hook.example/\r\nX: y", "http://例子.example/", "http://h/" + "x" * 2000),
    ],
)
def test_what_is_no_plain_address_of_the_web_is_refused(url: str) -> None:
    with pytest.raises(NoWebhookUrl):
        parsed(url)


def test_a_name_is_asked_for_once_and_that_answer_connected_to(desk: Desk, receiver: Receiver) -> None:
    """A name that is good when it is judged and this host a moment later gains nothing."""
    answers = [["127.0.0.1"], ["169.254.169.254"]]
    asked = []

    def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return answers.pop(0)

    desk.webhook(f"http://hook.example:{receiver.port}/x")
    about_a_machine(desk)
    assert desk.call(resolver=rebinding) == 1
    assert asked == ["hook.example"]
    assert receiver.calls[0].headers["Host"] == f"hook.example:{receiver.port}"
    about_a_machine(desk)
    assert desk.call(resolver=rebinding) == 0
    assert len(receiver.calls) == 1


def test_certificate_and_name_are_those_of_the_host_not_of_the_address(desk: Desk, signed: Certificates) -> None:
    with Receiver(signed.serving()) as receiver:
        desk.webhook(f"https://hook.example:{receiver.port}/x")
        about_a_machine(desk)
        assert desk.call(resolver=lambda _host, _port: ["127.0.0.1"]) == 1


def test_a_certificate_for_another_name_is_refused(desk: Desk, signed: Certificates) -> None:
    with Receiver(signed.serving()) as receiver:
        desk.webhook(f"https://other.example:{receiver.port}/x")
        about_a_machine(desk)
        assert desk.call(resolver=lambda _host, _port: ["127.0.0.1"]) == 0
        assert receiver.calls == []
    assert "certificate" in str(desk.deliveries()[0].last_error).lower()


def test_a_redirect_is_a_failure_and_is_not_followed(desk: Desk, receiver: Receiver) -> None:
    with Receiver() as inside:
        desk.webhook(receiver.url)
        for status in (301, 302, 307, 308):
            receiver.answers.append((status, {"Location": inside.url}, b""))
            about_a_machine(desk)
            assert desk.call() == 0
            desk.later(hours=1)
        assert inside.calls == []
        assert {one.status for one in desk.deliveries()} <= {301, 302, 307, 308, None}
        assert {one.state for one in desk.deliveries()} == {"waiting"}


def test_a_webhook_that_was_made_before_its_network_was_shut_out_is_refused_at_the_call(
    desk: Desk, receiver: Receiver
) -> None:
    desk.webhook(receiver.url)
    about_a_machine(desk)
    desk.allowed = ANYWHERE
    assert desk.call() == 0
    assert receiver.calls == []
    assert "127.0.0.1" in str(desk.deliveries()[0].last_error)


def test_who_sends_one_byte_now_and_then_is_cut_off(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "LONGEST_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            near, _ = server.accept()
            with near, suppress(OSError):
                near.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                while near.recv(65536):
                    near.sendall(b"x")

        dripping = threading.Thread(target=drip, daemon=True)
        dripping.start()
        desk.webhook(f"http://127.0.0.1:{server.getsockname()[1]}/")
        about_a_machine(desk)
        assert desk.call() == 0
        dripping.join()
    assert desk.deliveries()[0].last_error


def test_the_next_address_is_tried_where_one_is_not_reached(desk: Desk, receiver: Receiver) -> None:
    desk.allowed = Allowed.of("127.0.0.0/8")
    desk.webhook(f"http://hook.example:{receiver.port}/x")
    about_a_machine(desk)
    assert desk.call(resolver=lambda _host, _port: ["127.0.0.2", "127.0.0.1"]) == 1
