"""The client: persistent connections that send one request after the other for a time, and note how long each took.

It is as small as it can be, one thread for all connections: it runs on the machine that is measured, and what it takes
neither side has.
"""

import select
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

Answer = tuple[int, bytes]

Say = Callable[[], bytes]
"""Returns the next request that a connection sends."""


def saying(method: str, headers: Mapping[str, str], path: str = "") -> Callable[..., bytes]:
    """Return what makes requests of a body, and of a path where none is given once for all."""
    lines = ["Host: localhost", *(f"{name}: {value}" for name, value in headers.items())]
    rest = "".join(f"{line}\r\n" for line in lines).encode()

    def request(body: bytes = b"", to: str = path) -> bytes:
        return b"%b %b HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n%b" % (
            method.encode(),
            to.encode(),
            rest,
            len(body),
            body,
        )

    return request


class Connection:
    """A persistent connection to a server on the loopback that says how long its answers are."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._read = b""
        self.began = 0.0

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, request: bytes) -> None:
        """Send one request, to which nothing was sent before that was not answered."""
        self._read = b""
        self.began = time.perf_counter()
        self._socket.sendall(request)

    def receive(self) -> Answer | None:
        """Read what has come; return the answer once all of it is there."""
        piece = self._socket.recv(1 << 16)
        if not piece:
            raise ConnectionError("the server closed the connection")
        self._read += piece
        head, separator, body = self._read.partition(b"\r\n\r\n")
        if not separator:
            return None
        length = int(head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0] or 0)
        return (int(head.split(maxsplit=2)[1]), body) if len(body) >= length else None

    def call(self, request: bytes) -> Answer:
        """Send one request and wait for its answer."""
        self.send(request)
        answer = None
        while answer is None:
            answer = self.receive()
        return answer

    def close(self) -> None:
        self._socket.close()


@dataclass
class Tally:
    """What connections did together: seconds of each success, how long it all took, and what was no success."""

    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0
    failures: list[Answer] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Successes a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """Return the latency in milliseconds below which `share` (0 to 1) of the successes lie."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000

    def note(self, answer: Answer, seconds: float) -> None:
        """Count one answer."""
        if answer[0] < 300:
            self.latencies.append(seconds)
        else:
            self.failures.append(answer)

    def __iadd__(self, other: "Tally") -> "Tally":
        self.latencies += other.latencies
        self.seconds += other.seconds
        self.failures += other.failures
        return self


def drive(port: int, says: Sequence[Say], seconds: float) -> Tally:
    """Run one connection for each of `says` until `seconds` have passed; a request that was begun is finished."""
    waiting = select.epoll()
    under_way: dict[int, tuple[Connection, Say]] = {}
    for say in says:
        connection = Connection(port)
        under_way[connection.fileno()] = connection, say
        waiting.register(connection.fileno(), select.EPOLLIN)
    tally = Tally()
    start = time.perf_counter()
    for connection, say in under_way.values():
        connection.send(say())
    while under_way:
        for number, _ in waiting.poll():
            connection, say = under_way[number]
            answer = connection.receive()
            if answer is None:
                continue
            now = time.perf_counter()
            tally.note(answer, now - connection.began)
            if now - start < seconds:
                connection.send(say())
            else:
                waiting.unregister(number)
                del under_way[number]
                connection.close()
    tally.seconds = time.perf_counter() - start
    waiting.close()
    return tally
