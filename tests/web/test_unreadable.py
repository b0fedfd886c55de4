"""What never becomes a request is refused in the form that the API's description promises, by the real web server."""

import json
import socket
from collections.abc import Iterator
from http.client import HTTPResponse
from urllib.parse import urlsplit

import pytest

from controlplane.bootstrap import Installation
from tests.serving import served


@pytest.fixture
def address(installation: Installation) -> Iterator[tuple[str, int]]:
    with served(installation, STEPPE_WEB_WORKERS="1") as url:
        where = urlsplit(url)
        assert where.hostname and where.port
        yield where.hostname, where.port


def answer(address: tuple[str, int], sent: bytes) -> tuple[HTTPResponse, bytes]:
    with socket.create_connection(address, 30) as connection:
        connection.sendall(sent)
        heard = HTTPResponse(connection)
        heard.begin()
        return heard, heard.read()


def test_what_is_no_request_is_refused_as_the_api_refuses(address: tuple[str, int], installation: Installation) -> None:
    head = b"GET /api/v1/sites HTTP/1.1\r\nHost: x\r\n"
    log = installation.settings.state_dir / "web.log"
    for sent, status, says in (
        (b"GET /api/v1/sites?q=%s HTTP/1.1\r\nHost: x\r\n\r\n" % (b"a" * 9000), 414, "address is too long"),
        (head + b"X: %s\r\n\r\n" % (b"a" * 9000), 431, "headers are too large"),
        (head + b"no colon\r\n\r\n", 400, "HTTP"),
        (b"<script>\r\n\r\n", 400, "HTTP"),
    ):
        heard, body = answer(address, sent)
        assert (heard.status, heard.getheader("Content-Type")) == (status, "application/problem+json"), body
        problem = json.loads(body)
        assert (problem["status"], problem["code"]) == (status, f"http.{status}")
        assert says in problem["detail"] and b"script" not in body
        assert problem["request_id"] == heard.getheader("X-Request-Id")
        assert problem["request_id"] in log.read_text()


def test_after_an_unreadable_request_the_next_one_is_answered(address: tuple[str, int]) -> None:
    for _ in range(3):
        assert answer(address, b"\x16\x03\x01 hello\r\n\r\n")[0].status == 400
        assert answer(address, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")[0].status == 200
