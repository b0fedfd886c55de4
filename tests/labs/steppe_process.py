"""A Steppe of the lab's own, started as an administrator would start it and spoken to as programs speak to it."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.labs.waiting import TookTooLong, until

ROOT = Path(__file__).parents[2]
_COMMAND = (sys.executable, "-m", "controlplane.cli")


class Steppe:
    """`steppe up` with its database, web server and worker, all under `folder`. A context manager."""

    def __init__(self, folder: Path, port: int, **settings: str) -> None:
        plain = {key: value for key, value in os.environ.items() if not key.startswith("STEPPE_")}
        self.listen = f"127.0.0.1:{port}"
        self._log = folder / "steppe.log"
        self._environment = {
            **plain,
            "STEPPE_STATE_DIR": str(folder / "steppe"),
            "STEPPE_LISTEN": self.listen,
            "STEPPE_CONSOLE_LISTEN": f"127.0.0.1:{port + 1}",
            "STEPPE_SWEEP_MINUTES": "1",
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._token = ""

    def __enter__(self) -> "Steppe":
        command = ("setpriv", "--pdeathsig", "TERM", "--", *_COMMAND, "up")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, env=self._environment, cwd=ROOT, stdout=log, stderr=log)
        try:
            until("Steppe is up", self._is_up, 90)
            self.command("user", "create", "lab", "--service", "--name", "lab", "--role", "system_admin")
            self._token = self.command("token", "create", "lab", "--user", "lab", "--quiet").strip()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(90)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def command(self, *words: str) -> str:
        """Run a `steppe` command. Raises RuntimeError with its words where it fails."""
        done = subprocess.run(
            (*_COMMAND, *words),
            env=self._environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode:
            raise RuntimeError(f"steppe {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Call the API as an administrator; return status and answer."""
        status, answer = self.fetch(method, path, body)
        return status, json.loads(answer)

    def fetch(self, method: str, path: str, body: Any = None, token: str = "") -> tuple[int, bytes]:
        """Call the API, as an administrator or by another's token; return status and answer as it came."""
        headers = {"Authorization": f"Bearer {token or self._token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        ask = urllib.request.Request(f"http://{self.listen}/api/v1{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(ask, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def ask(self, path: str, body: Any = None) -> Any:
        """POST and return the answer. Raises RuntimeError for a refusal."""
        status, answer = self.call("POST", path, body)
        if status >= 400:
            raise RuntimeError(f"POST {path}: {status} {answer.get('detail')}")
        return answer

    def vm(self, ref: str) -> Any:
        """Return a VM, None once it is gone."""
        status, answer = self.call("GET", f"/vms/{ref}")
        return None if status == 404 else answer

    def settled(self, ref: str, state: str, seconds: float) -> Any:
        """Wait until a VM is in `state` and its last order was carried out."""
        last: Any = None

        def there() -> Any:
            nonlocal last
            last = self.vm(ref)
            if last and last["state"] == "faulted" and state != "faulted":
                raise RuntimeError(f"{last['name']} is faulted: {last['fault']}")
            done = last and last["state"] == state and last["generation"] == last["observed_generation"]
            return last if done else None

        try:
            return until(f"{ref} is {state}", there, seconds)
        except TookTooLong as error:
            raise TookTooLong(f"{error}; it is {last and last['state']}") from None

    def gone(self, ref: str, seconds: float) -> None:
        """Wait until a VM is confirmed gone."""
        until(f"{ref} is gone", lambda: self.vm(ref) is None, seconds)

    def _is_up(self) -> bool:
        if self._process and self._process.poll() is not None:
            raise RuntimeError(f"steppe up ended; see {self._log}")
        try:
            with urllib.request.urlopen(f"http://{self.listen}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False
