"""The worker class that the web server runs with, in a real gunicorn with a single thread."""

import os
import re
import socket
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from threading import get_ident

import pytest

from bench.servers import free_port, process, until_served


def echo(environ, start_response):  # type: ignore[no-untyped-def]
    """Answer with the body and the thread that it came to; `pytest` never calls this, gunicorn does."""
    body = environ["wsgi.input"].read() + f" {get_ident()}".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    port = free_port()
    command = (
        *(sys.executable, "-m", "gunicorn", f"{__name__}:echo", "--bind", f"127.0.0.1:{port}"),
        *("--worker-class", "web.lingering.LingeringWorker", "--workers", "1", "--threads", "1"),
    )
    with process(command, dict(os.environ), tmp_path / "log"):
        until_served(port, tmp_path / "log")
        yield port


def said(connection: HTTPConnection, body: str) -> str:
    connection.request("POST", "/", body)
    return connection.getresponse().read().decode().split()[0]


def test_requests_that_follow_one_another_are_answered_in_order(port: int) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=120)
    assert [said(connection, f"{n}") for n in range(200)] == [f"{n}" for n in range(200)]


def test_who_asks_all_the_time_keeps_the_only_thread_from_nobody(port: int) -> None:
    busy, *others = (HTTPConnection("127.0.0.1", port, timeout=120) for _ in range(4))
    for n in range(50):
        assert said(busy, "busy") == "busy"
        assert [said(other, f"{n}") for other in others] == [f"{n}"] * 3


def test_two_requests_sent_at_once_are_both_answered(port: int) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=120)
    connection.connect()
    one = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n%d"
    connection.sock.sendall(one % 1 + one % 2)
    heard = b""
    while not re.search(rb"\r\n\r\n1 \d+HTTP.*\r\n\r\n2 \d", heard, re.DOTALL):
        piece = connection.sock.recv(4096)
        assert piece, heard
        heard += piece


def test_an_answer_comes_in_one_piece(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=120) as client:
        for n in range(20):
            client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n%02d" % n)
            assert re.search(rb"\r\n\r\n%02d \d+$" % n, client.recv(4096))
