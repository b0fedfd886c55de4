"""What no client that knows HTTP would send: put on the wire byte by byte, at every operation, for one caller.

schemathesis sends by a library that mends or refuses such things itself.
"""

import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

from tests.fuzz.fault import SERVER_ERROR, Fault, Found
from tests.fuzz.stock import Stock

PATHS = (b"%zz", b"%", b"%00", b"%ff%fe", b"%ed%a0%80", b"%2e%2e%2f", b"..;/", b"\xc3\xa9", b"a" * 5000)
QUERIES = (
    *(b"%zz=1", b"dry_run=%ff", b"dry_run=%ed%a0%80", b"limit=%D9%A3", b"limit=1e3", b"limit=1_0", b"limit=+1"),
    *(b"cursor=%00", b"cursor=%E9", b"q=%ed%a0%80", b"a&&b==&=", b"dry_run=true&dry_run=false", b"\xc3\xa9=\xff"),
    b"q=" + b"a" * 9000,
)
HEADERS: tuple[tuple[bytes, ...], ...] = (
    *((b"Idempotency-Key: " + key,) for key in (b"", b"\xff\xfe", b"a" * 256, b"a" * 5000, b"\xe2\x80\xae")),
    *((b"If-Match: " + tag,) for tag in (b"", b"\xe9", b'"v%d"' % 10**30, b'"v1", "v2"', b'W/"v1"', b'"v-1"')),
    *((b"Accept: " + what,) for what in (b"", b"text/html", b"*/*;q=nan", b"\xff")),
    *((b"Accept-Language: " + what,) for what in (b"\xff", b"x" * 900, b"zh;q=9e999")),
    *((b"X-Request-Id: " + what,) for what in (b"\xff", b"a" * 900, b"<x>")),
    *((b"Cookie: " + what,) for what in (b"steppe=\xff", b"steppe=.x.y", b"=;=;,", b'steppe="\\777"')),
    *((b"Authorization: " + what,) for what in (b"", b"Bearer", b"Bearer \xff", b"Bearer a b", b"Basic !!!", b"x")),
    *((b"Origin: " + what,) for what in (b"\xff", b"null", b"http://[::1")),
    *((b"Host: " + what,) for what in (b"[::1", b"a b", b"\xff", b"")),
    *((b"Content-Length: " + what,) for what in (b"-1", b"x", b"9" * 30)),
    *((b"X-Forwarded-For: " + what,) for what in (b"\xff", b"1.2.3.4, x")),
    (b"Range: bytes=0-0", b"If-None-Match: *"),
    (b"no colon",),
    (b"X: " + b"a" * 9000,),
    tuple(b"X-%d: 1" % number for number in range(150)),
)
TYPES = (
    *(b"", b"text/plain", b"application/json; charset=utf-16", b"application/json; charset=none", b"application/xml"),
    *(b"multipart/form-data", b"multipart/form-data; boundary=\xff", b"application/x-www-form-urlencoded", b"\xff"),
)
BODIES = (
    *(b'{"name": "a\\u0000b"}', b'{"a\\u0000": 1}', b'{"name": "\\ud800"}', b'{"name": NaN}', b'{"name": 1e999}'),
    *(b'{"name": ' + b"9" * 5000 + b"}", b'{"name": "\xff\xfe"}', b'{"name": ', b"[]", b'"{}"', b"null", b"\x00"),
    *(b'{"name": ' + b"[" * 100 + b"]" * 100 + b"}", b"[" * 100_000, b'{"limits": {"vcpu": 1e400}}'),
    *(b'\xef\xbb\xbf{"name": "x"}', '{"name": "x"}'.encode("utf-16"), b'{"name": "x", "name": "y"}'),
)
_JSON = b"Content-Type: application/json"
_PATIENCE = 30


@dataclass(frozen=True)
class Odd:
    """One odd request. `headers` are lines; those of the caller's token and of the host go unless it brings its own."""

    operation: str
    documented: Mapping[str, Any]
    method: str
    target: bytes
    headers: tuple[bytes, ...] = ()
    body: bytes = b""

    def wire(self, host: str, secret: str) -> bytes:
        brought = {line.partition(b":")[0].lower() for line in self.headers}
        usual = {
            b"host": f"Host: {host}".encode(),
            b"authorization": f"Authorization: Bearer {secret}".encode(),
            b"content-length": b"Content-Length: %d" % len(self.body),
        }
        lines = [line for name, line in usual.items() if name not in brought]
        first = self.method.upper().encode() + b" " + self.target + b" HTTP/1.1"
        return b"\r\n".join((first, *lines, *self.headers, b"Connection: close", b"", b"")) + self.body


def odd_requests(document: Mapping[str, Any], stock: Stock) -> Iterator[Odd]:
    """Yield them all, operation by operation. Writes are dry runs, so that what they ask about stays there."""
    for path, item in document["paths"].items():
        noun = path.removeprefix("/api/v1/").partition("/")[0]
        ref = stock.refs.get(noun, ["x"])[0]
        for method, operation in item.items():
            yield from _of(path, method, operation["responses"], ref)


def _of(path: str, method: str, documented: Mapping[str, Any], ref: str) -> Iterator[Odd]:
    plain = path.replace("{ref}", ref).replace("{verb}", "stop").encode()
    write = method != "get"
    dry = plain + b"?dry_run=true" if write else plain
    body = b"{}" if write else b""
    usual = (_JSON,) if write else ()
    name = f"{method.upper()} {path}"

    def odd(target: bytes, headers: tuple[bytes, ...] = usual, sent: bytes = body) -> Odd:
        return Odd(name, documented, method, target, headers, sent)

    yield from (odd(dry, (*usual, *lines)) for lines in HEADERS)
    yield from (odd(plain + b"?" + query) for query in QUERIES if write is (b"dry_run" in query) or not write)
    if "{ref}" in path:
        yield from (odd(dry.replace(ref.encode(), part)) for part in PATHS)
    if write:
        yield from (odd(dry, (b"Content-Type: " + of,)) for of in TYPES)
        yield from (odd(dry, sent=sent) for sent in BODIES)


def odd_run(url: str, secret: str, document: Mapping[str, Any], stock: Stock, found: Found) -> None:
    """Send all of them and judge what is answered."""
    host = urlsplit(url).netloc
    for odd in odd_requests(document, stock):
        found.calls += 1
        answer = _sent(host, odd.wire(host, secret))
        found.answered[odd.operation, answer[0]] += 1
        wrong = judged(odd, *answer)
        if wrong:
            check, why, request_id = wrong
            said = b" ".join((odd.target, *odd.headers, odd.body))[:300]
            found.faults.append(Fault(check, odd.operation, why, f"bytes: {said!r}", request_id))


def _sent(host: str, wire: bytes) -> tuple[int, str, str, bytes]:
    """Return status, content type, request id and body; status 0 where the connection was closed without a word."""
    name, _, port = host.partition(":")
    with socket.create_connection((name, int(port)), _PATIENCE) as connection:
        try:
            connection.sendall(wire)
            answer = HTTPResponse(connection)
            answer.begin()
            body = answer.read()
        except (OSError, HTTPException):
            return 0, "", "", b""
    kind = (answer.getheader("Content-Type") or "").partition(";")[0]
    return answer.status, kind, answer.getheader("X-Request-Id") or "", body


def judged(odd: Odd, status: int, kind: str, request_id: str, body: bytes) -> tuple[str, str, str] | None:
    if status >= 500:
        return SERVER_ERROR, f"answered with {status}", request_id
    said = odd.documented.get(str(status))
    # An address that is none leads to no operation, whose description then says nothing of its answer.
    if said is None and status not in {308, 405}:
        return "status_code_conformance", f"undocumented status {status}", request_id
    if status >= 400 and kind != "application/problem+json":
        return "content_type_conformance", f"{status} as {kind}", request_id
    if status >= 400 and not {"code", "detail", "status", "request_id"} <= json.loads(body).keys():
        return "response_schema_conformance", f"{status} says {body[:200]!r}", request_id
    return None
