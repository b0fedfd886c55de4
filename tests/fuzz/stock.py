"""What is fuzzed: a small centre with a few things of every noun, of which each run gets a copy of its own.

So nothing that one run ends is missing in the next, and what is found does not hang on the order of the runs.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from controlplane.bootstrap import Installation
from controlplane.db import make_engine, make_sessions
from controlplane.settings import Settings
from tests.access.place import BELOW, HIDDEN_SYSTEM, OTHER, OURS, Place, furnish
from tests.factories import vm


@dataclass(frozen=True)
class Stock:
    """A centre to copy. `refs`: by noun, things that exist; `names`: by field, what a body or query may name."""

    url: str
    settings: Settings
    refs: Mapping[str, Sequence[str]]
    names: Mapping[str, Sequence[str]]

    @contextmanager
    def copy(self) -> Iterator[Installation]:
        """Give an installation with a copy of the centre."""
        name = f"fuzz_{uuid4().hex[:12]}"
        with psycopg.connect(_at(self.url, "postgres"), autocommit=True) as server:
            made, of = sql.Identifier(name), sql.Identifier(str(make_url(self.url).database))
            server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(made, of))
            engine = make_engine(_at(self.url, name), pool_size=2)
            try:
                yield Installation(self.settings, _at(self.url, name), engine, make_sessions(engine))
            finally:
                engine.dispose()
                server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(made))


def stocked(installation: Installation) -> Stock:
    """Make the centre in an empty installation, and let go of its database so that it can be copied."""
    place = furnish(installation)
    refs = _refs(place)
    names = {**_names(), "ids": refs["vms"], "request": refs["requests"]}
    place.http.close()
    installation.engine.dispose()
    return Stock(
        installation.url, installation.settings, refs, {**names, "ids": refs["vms"], "request": refs["requests"]}
    )


def _at(url: str, database: str) -> str:
    return make_url(url).set(database=database).render_as_string(hide_password=False)


def _refs(place: Place) -> dict[str, list[str]]:
    made = [place.http.admin.post("/vms", vm(f"more-{n}", department=OURS)).json for n in range(3)]
    for one in made[:2]:
        place.http.work(one["id"])
    place.http.admin.post(f"/vms/{made[0]['id']}/stop")
    place.http.work(made[0]["id"])
    refs = {noun: [ref] for noun, ref in place.refs.items()}
    refs["vms"] += [one["id"] for one in made]
    refs["requests"] += [one["request"] for one in made]
    for noun, code in (("departments", BELOW), ("pools", "hv-02"), ("subnets", "business6"), ("users", "wang")):
        refs[noun].append(code)
    return refs


def _names() -> dict[str, list[str]]:
    return {
        "department": [OURS, OTHER, BELOW],
        "system": ["monitoring", HIDDEN_SYSTEM],
        "site": ["nm"],
        "image": ["debian-12"],
        "flavor": ["small"],
        "subnets": ["business", "business6"],
        "pool": ["hv-01", "hv-02"],
        "parent": [OURS, "nm"],
        "kind": ["vm"],
        "driver": ["fake"],
        "cidr": ["10.77.0.0/24", "fd00:77::/64", "10.1.0.0/25"],
        "gateway": ["10.77.0.1"],
    }
