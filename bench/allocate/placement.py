"""OpenStack Placement as it is measured: from PyPI, in an environment of its own, without authentication."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from uuid import uuid4

from bench.allocate.load import Connection, Say, saying
from bench.servers import gunicorn

PROVIDERS = 8
_ENOUGH = 10**9
_HEADERS = {
    "X-Auth-Token": "admin",
    "Content-Type": "application/json",
    "Accept": "application/json",
    "OpenStack-API-Version": "placement 1.39",
}


@dataclass(frozen=True)
class Placement:
    """A running Placement: its port and the ids of its resource providers."""

    port: int
    providers: list[str]

    def singles(self, connections: int) -> list[Say]:
        """Return what each connection says: PUT /allocations of a new consumer, on each provider in turn."""
        return [self._single(number) for number in range(connections)]

    def _single(self, number: int) -> Say:
        # Each connection begins with a provider of its own, so that none waits for the other more than it must.
        turns = count(number)
        project = str(uuid4())
        request = saying("PUT", _HEADERS)

        def say() -> bytes:
            provider = self.providers[next(turns) % len(self.providers)]
            body = {
                "allocations": {provider: {"resources": {"VCPU": 1, "MEMORY_MB": 1024, "DISK_GB": 10}}},
                "project_id": project,
                "user_id": project,
                "consumer_generation": None,
                "consumer_type": "INSTANCE",
            }
            return request(json.dumps(body).encode(), f"/allocations/{uuid4()}")

        return say


@contextmanager
def placement(url: str, python: Path, folder: Path) -> Iterator[Placement]:
    """Serve Placement on the empty database of `url`, with the interpreter of an environment that has it."""
    config = folder / "placement.conf"
    database = url.replace("postgresql://", "postgresql+psycopg2://", 1)
    config.write_text(
        "[DEFAULT]\nuse_stderr = false\n"
        "[api]\nauth_strategy = noauth2\n"
        f"[placement_database]\nconnection = {database}\n"
    )
    environment = {"OS_PLACEMENT_CONFIG_DIR": str(folder)}
    manage = (str(python.with_name("placement-manage")), "--config-file", str(config), "db", "sync")
    subprocess.run(manage, check=True, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
    with gunicorn(str(python), "placement.wsgi.api:application", environment, folder / "placement.log") as port:
        yield Placement(port, [_provider(port, number) for number in range(PROVIDERS)])


def _provider(port: int, number: int) -> str:
    connection = Connection(port)
    provider = str(uuid4())
    inventory = {"total": _ENOUGH, "reserved": 0, "min_unit": 1, "max_unit": _ENOUGH, "step_size": 1}
    inventories = {name: {**inventory, "allocation_ratio": 1.0} for name in ("VCPU", "MEMORY_MB", "DISK_GB")}
    for method, path, body in (
        ("POST", "/resource_providers", {"name": f"bench-{number}", "uuid": provider}),
        (
            "PUT",
            f"/resource_providers/{provider}/inventories",
            {"resource_provider_generation": 0, "inventories": inventories},
        ),
    ):
        status, answer = connection.call(saying(method, _HEADERS, path)(json.dumps(body).encode()))
        if status >= 300:
            raise SystemExit(f"placement refused {method} {path}: {status} {answer.decode()}")
    connection.close()
    return provider
