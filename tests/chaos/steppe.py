"""A whole Steppe in a folder of its own: started, spoken to over HTTP, and killed piece by piece."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal
from uuid import uuid4

import psutil

from tests.chaos.traps import SOCKET, Traps
from tests.cli.processes import ROOT, environment, free_port, postmaster, runs, short_folder, steppe, until

Victim = Literal["worker", "web", "database"]
PATIENCE = 180.0

_SETTINGS = {
    "STEPPE_WORKER_DEAD_SECONDS": "3",
    "STEPPE_WEB_WORKERS": "1",
    "STEPPE_JOB_THREADS": "4",
    # What was lost must come back by itself, not because a sweep happens to find it.
    "STEPPE_SWEEP_MINUTES": "59",
}


@dataclass(frozen=True)
class Answer:
    """What was answered. `status` 0: nobody answered."""

    status: int
    body: dict[str, Any]
    replayed: bool = False


class Steppe:
    """A running installation with one administrator. `settings` come before those that are best for being killed."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.state = folder / "s"
        listen = f"127.0.0.1:{free_port()}"
        self.url = f"http://{listen}"
        self.traps = Traps(folder / "traps")
        self.env = environment(
            self.state,
            STEPPE_LISTEN=listen,
            STEPPE_LOG_FORMAT="json",
            **{SOCKET: str(folder / "traps"), **_SETTINGS, **settings},
        )
        self.log = folder / "up.log"
        with self.log.open("wb") as output:
            self._up = subprocess.Popen(
                (sys.executable, "-m", "tests.chaos.up"),
                cwd=ROOT,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        until(lambda: "Steppe is up" in self.log.read_text() or self._up.poll(), "to be up", PATIENCE)
        assert self._up.poll() is None, self.log.read_text()
        self.command("user", "create", "chaos", "--service", "--name", "chaos", "--role", "system_admin")
        self._secret = self.command("token", "create", "chaos", "--user", "chaos", "--quiet").strip()

    def __enter__(self) -> "Steppe":
        return self

    def __exit__(self, _t: type[BaseException] | None, _e: BaseException | None, _b: TracebackType | None) -> None:
        with self.traps:
            self._up.send_signal(signal.SIGINT)
        try:
            self._up.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._up.kill()
            self._up.wait()

    def command(self, *words: str) -> str:
        """Run a `steppe` command beside what runs and return what it says."""
        done = steppe(self.env, *words)
        assert done.returncode == 0, f"steppe {' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send one request once."""
        words = {"Authorization": f"Bearer {self._secret}", "Content-Type": "application/json", **headers}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/api/v1{path}", data, words, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return Answer(answer.status, json.load(answer), "Idempotent-Replayed" in answer.headers)
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, json.loads(error.read() or b"{}"))
        except (OSError, ValueError):
            return Answer(0, {})

    def ask(self, method: str, path: str, body: Any = None, trace: str = "") -> Answer:
        """Send a write and repeat it, as a client should, until it is answered for good."""
        headers = {"Idempotency-Key": uuid4().hex, "X-Request-Id": trace or uuid4().hex}

        def answered() -> Answer | None:
            answer = self.call(method, path, body, **headers)
            running = answer.body.get("code") == "idempotency.still_running"
            assert answer.status not in {500, 502}, f"a traceback, not an answer: {answer.body}"
            return None if answer.status in {0, 503} or running else answer

        return until(answered, f"{method} {path} to be answered", PATIENCE)

    def made(self, path: str, **body: Any) -> Answer:
        """Make something that must be possible."""
        answer = self.ask("POST", path, body)
        assert answer.status in {201, 202}, answer.body
        return answer

    def kill(self, victim: Victim, pid: int | None = None) -> None:
        """Kill without a warning all processes of a victim, or just the one named, and see that they are dead."""
        dead = [pid] if pid else self._processes(victim)
        for process in dead:
            os.kill(process, signal.SIGKILL)
        until(lambda: not any(runs(process) for process in dead), f"{victim} to be dead")

    def whole(self) -> bool:
        """Tell whether all parts run and the web server can serve."""
        parts = postmaster(self.state), self._child("worker"), self._child("web")
        return all(parts) and self._ready()

    def _processes(self, victim: Victim) -> list[int]:
        if victim == "database":
            # Its own children see at once that it is gone.
            return [until(lambda: postmaster(self.state), "the database to run")]
        first = until(lambda: self._child(victim), f"{victim} to run")
        return [first.pid, *(child.pid for child in first.children(recursive=True))]

    def _child(self, victim: Victim) -> psutil.Process | None:
        word = {"web": "gunicorn", "worker": "tests.chaos.worker"}[victim]
        for child in psutil.Process(self._up.pid).children():
            with suppress(psutil.Error):
                if word in child.cmdline() and child.status() != psutil.STATUS_ZOMBIE:
                    return child
        return None

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@contextmanager
def small_steppe() -> Iterator[Steppe]:
    """Give an installation with one department, one system, two images and one simulated hypervisor."""
    with short_folder() as folder, Steppe(folder) as running:
        contact = {"name": "王芳", "phone": "0471-0000001", "email": "wang@nm.example"}
        limits = {"vm": 500, "vcpu": 2000, "memory_mib": 4096 * 1024, "disk_gib": 100_000}
        capacity = {"vm": {}, "vcpu": {"total": 500, "ratio": 4}, "memory_mib": {"total": 4096 * 1024}, "disk_gib": {}}
        running.made("/sites", code="nm", name="内蒙古", name_en="Inner Mongolia", level="region")
        running.made(
            "/departments", code="environment", name="环境保护厅", name_en="Environment", site="nm", limits=limits
        )
        running.made(
            "/systems", department="environment", code="air", name="空气", name_en="Air", mlps_level=2, contact=contact
        )
        for image in ("debian-12", "debian-13"):
            running.made("/images", code=image, name=image, os="debian", min_disk_gib=1)
        running.made(
            "/subnets", code="business", name="业务网", site="nm", cidr="10.1.0.0/22", gateway="10.1.0.1", network="lan"
        )
        running.made(
            "/pools", code="hv-01", name="hv-01", kind="vm", site="nm", mlps_level=3, driver="libvirt",
            connection={"uri": "test:///hv-01", "network": "lan"}, capacity=capacity,
        )  # fmt: skip
        yield running
