"""The client: persistent connections that send one request after the other for a time, and note how long each took.

It is as small as it can be: it runs on the machine that is measured, and what it takes neither side has.
"""

import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

Answer = tuple[int, bytes]


class Connection:
    """A persistent connection to a server on the loopback that says how long its answers are."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._host = f"127.0.0.1:{port}"

    def call(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send one request and read its whole answer."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._host}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._socket.sendall("\r\n".join((*lines, "", "")).encode() + body)
        return self._answer()

    def _answer(self) -> Answer:
        head, separator, body = b"", b"", b""
        while not separator:
            head, separator, body = (head + self._read()).partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0] or 0)
        while len(body) < length:
            body += self._read()
        return int(head.split(maxsplit=2)[1]), body

    def _read(self) -> bytes:
        piece = self._socket.recv(1 << 16)
        if not piece:
            raise ConnectionError("the server closed the connection")
        return piece

    def close(self) -> None:
        self._socket.close()


Say = Callable[[Connection], Answer]
"""Sends one request on the connection that it is given and returns status and body."""


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

    def __iadd__(self, other: "Tally") -> "Tally":
        self.latencies += other.latencies
        self.seconds += other.seconds
        self.failures += other.failures
        return self


def drive(port: int, says: Sequence[Say], seconds: float) -> Tally:
    """Run one connection for each of `says` until `seconds` have passed; a request that was begun is finished."""
    tallies = [Tally() for _ in says]
    ready = threading.Barrier(len(says) + 1)
    threads = [
        threading.Thread(target=_run, args=(port, say, seconds, tally, ready))
        for say, tally in zip(says, tallies, strict=True)
    ]
    for thread in threads:
        thread.start()
    ready.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join()
    total = Tally(seconds=time.perf_counter() - start)
    for tally in tallies:
        total.latencies += tally.latencies
        total.failures += tally.failures
    return total


def _run(port: int, say: Say, seconds: float, tally: Tally, ready: threading.Barrier) -> None:
    connection = Connection(port)
    ready.wait()
    end = time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        answer = say(connection)
        if answer[0] < 300:
            tally.latencies.append(time.perf_counter() - start)
        else:
            tally.failures.append(answer)
    connection.close()
