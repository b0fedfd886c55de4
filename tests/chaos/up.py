"""`steppe up` with the trapped worker and the trapped web application: `python -m tests.chaos.up`."""

import sys
from dataclasses import replace

from controlplane import bootstrap
from controlplane.cli import up
from controlplane.cli.supervisor import Child
from controlplane.settings import Settings, settings

_TRAPPED = {"web.app:from_environment()": "tests.chaos.web:from_environment()"}


def children(config: Settings, url: str) -> list[Child]:
    """Return the product's own children, each started by its trapped twin."""
    found = []
    for child in up.children(config, url):
        command = tuple(_TRAPPED.get(word, word) for word in child.command)
        if child.name == "worker":
            command = (sys.executable, "-m", "tests.chaos.worker")
        found.append(replace(child, command=command))
    return found


if __name__ == "__main__":
    config = settings()
    bootstrap.configure_logging(config)
    up.run(config, children)
