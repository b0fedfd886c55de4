"""Commands on drift. A check is done by a worker: the pools' drivers, and what simulated ones hold, live there."""

import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import click
from sqlalchemy.orm import Session

from controlplane import jobs, lookups
from controlplane.bootstrap import Installation
from controlplane.cli.listing import more
from controlplane.cli.output import opened, operator, show_rows, with_session
from controlplane.db import transaction
from controlplane.paging import Listing
from controlplane.services import drift as service

EXIT_CLEAN, EXIT_DRIFT, EXIT_NOT_SEEN = 0, 1, 2
_PAUSE = 0.2
_COLUMNS = ("pool", "kind", "name", "department", "differences", "since", "decision", "id")


@click.group(invoke_without_command=True)
@click.option("--pool", help="Code of a pool; all of them where it is left out.")
@click.option("--no-check", is_flag=True, help="Print what is known already.")
@click.option("--timeout", type=click.IntRange(1), default=120, show_default=True, help="Seconds to wait for a worker.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("--limit", type=click.IntRange(1, 500), default=100, show_default=True)
@click.option("--cursor", help="The cursor that the page before gave.")
@click.pass_context
def drift(context: click.Context, /, **asked: Any) -> None:
    """Look at the pools now and list what is not as recorded.

    Exit codes: 0 all is as recorded; 1 there is drift; 2 a pool could not be looked at, or no worker answered.
    """
    if context.invoked_subcommand is None:
        sys.exit(_report(**asked))


@drift.command()
@click.argument("drift_id", type=click.UUID)
@with_session
def repair(session: Session, drift_id: UUID) -> None:
    """Make it as recorded; what is recorded as deleted is removed."""
    found = service.repair(session, operator(), drift_id)
    click.echo(f"a worker will repair {found.name}")


@drift.command()
@click.argument("drift_id", type=click.UUID)
@with_session
def accept(session: Session, drift_id: UUID) -> None:
    """Record it as it is; what is missing is recorded as deleted."""
    found = service.accept(session, operator(), drift_id)
    click.echo(f"{found.name} is recorded as it was found")


@drift.command()
@click.argument("drift_id", type=click.UUID)
@click.option("--department", required=True)
@click.option("--system", required=True)
@click.option("--name", help="The name that it has on its hypervisor where this is left out.")
@click.option("--address", "addresses", multiple=True, metavar="SUBNET=ADDRESS", help="May be given twice.")
@click.option("--disk-gib", type=int, help="Only where the hypervisor could not tell.")
@with_session
def adopt(session: Session, drift_id: UUID, addresses: tuple[str, ...], **values: Any) -> None:
    """Make a machine that nobody recorded a VM of a department, as it is."""
    ask = {name: value for name, value in values.items() if value is not None}
    ask["addresses"] = dict(text.partition("=")[::2] for text in addresses)
    made = service.adopt(session, operator(), drift_id, ask)
    click.echo(f"adopted {made.name} {made.id}")


def _report(pool: str | None, no_check: bool, timeout: int, form: str, limit: int, cursor: str | None) -> int:
    with opened() as installation:
        trouble = None if no_check else _check(installation, pool, timeout)
        filters = {"open": "true"} | ({"pool": pool} if pool else {})
        with transaction(installation.sessions) as session:
            found = lookups.drifts(session, operator(), Listing(limit, cursor, None, filters))
            rows = [_row(d, plain=form == "json") for d in found.items]
            checks = lookups.pool_checks(session, operator())
            unseen = {c.pool.code: c.trouble for c in checks if c.trouble and pool in {None, c.pool.code}}
    if form == "json" or rows or not (trouble or unseen):
        show_rows(rows, _COLUMNS, as_json=form == "json")
    more(found.next)
    for line in [trouble] if trouble else [f"could not look at {code}: {why}" for code, why in unseen.items()]:
        click.echo(line, err=True)
    if trouble or unseen:
        return EXIT_NOT_SEEN
    return EXIT_DRIFT if rows else EXIT_CLEAN


def _check(installation: Installation, pool: str | None, timeout: int) -> str | None:
    """Have a worker check and wait until it has; return why there is no answer, None where there is one."""
    with transaction(installation.sessions) as session:
        job = service.check(session, operator(), pool)
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        with transaction(installation.sessions) as session:
            state = jobs.state_of(session, job)
        if state is None:
            return None
        if state not in {"todo", "doing"}:
            return f"the check {state}: the worker's log says why"
        time.sleep(_PAUSE)
    doing = "a worker is still looking" if state == "doing" else "no worker took it up: start one by `steppe worker`"
    return f"no answer in {timeout} s: {doing}"


def _row(d: Any, *, plain: bool) -> dict[str, Any]:
    department = d.resource.department.code if d.resource else None
    return {
        "pool": d.pool.code,
        "kind": d.kind,
        "name": d.name,
        "department": department,
        "differences": d.differences if plain else "; ".join(_shown(d.differences)),
        "since": d.first_seen.isoformat(timespec="seconds"),
        "decision": d.decision,
        "machine": d.external_id,
        "id": d.id,
    }


def _shown(differences: Mapping[str, Any]) -> Iterator[str]:
    """Give each difference in words; of what nobody wanted, what there is."""
    for field, both in differences.items():
        wanted, observed = both["wanted"], both["observed"]
        if wanted is not None:
            yield f"{field}: {wanted} -> {observed}"
        elif observed is not None:
            yield f"{field}: {observed}"
