"""The client: persistent connections that send one request after the other for a time, and note how long each took."""

import http.client
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

Answer = tuple[int, bytes]
Say = Callable[[http.client.HTTPConnection], Answer]
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
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.connect()
    ready.wait()
    end = time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        answer = say(connection)
        if answer[0] < 300:
            tally.latencies.append(time.perf_counter() - start)
        else:
            tally.failures.append(answer)
    connection.close()


def call(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes, headers: dict[str, str]
) -> Answer:
    """Send one request and read its whole answer."""
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read()
