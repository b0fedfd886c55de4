"""What the usage report says of a period is the integral of the recorded history, to the unit."""

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import pytest
from sqlalchemy import text

from controlplane.bootstrap import Installation
from controlplane.db import make_engine, transaction
from controlplane.reports.usage import usage
from tests.people import AUDITOR
from tests.reconcile.lab import Lab

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
SIZES = ((1, 2048), (2, 4096), (4, 8192))


class Line(NamedTuple):
    """One posting, as the brute force needs it; `minute` counts from BEGIN."""

    minute: int
    subject: str
    resource_class: str
    used: int


def history(lab: Lab, seed: int) -> None:
    """Let machines be made, resized, stopped, started and deleted in an order that chance picks."""
    chance = random.Random(seed)
    alive: list[UUID] = []
    for step in range(24):
        verb = chance.choice(("create", "resize", "stop", "delete")) if len(alive) > 2 else "create"
        if verb == "create":
            alive.append(lab.running(f"vm-{step}"))
            continue
        vm = chance.choice(alive)
        if verb == "delete":
            alive.remove(vm)
        body = {}
        if verb == "resize":
            vcpu, memory = chance.choice(SIZES)
            body = {"vcpu": vcpu, "memory_mib": memory, "disk_gib": 50 + step}
        if verb == "stop" and lab.record(vm).state == "stopped":
            verb = "start"
        lab.done(vm, verb, **body)


def spread_over_days(installation: Installation, seed: int) -> None:
    """Give each transaction of the ledger a time of its own, some minutes or hours after the one before.

    What the guard of the table forbids everybody else, its owner does here in place of waiting for days.
    """
    chance = random.Random(seed)
    with make_engine(installation.url, role=None).begin() as owner:
        owner.execute(text("ALTER TABLE ledger_postings DISABLE TRIGGER append_only"))
        now = BEGIN
        for (at,) in owner.execute(text("SELECT DISTINCT at FROM ledger_postings ORDER BY at")).all():
            now += timedelta(minutes=chance.choice((1, 7, 60, 600)))
            owner.execute(text("UPDATE ledger_postings SET at = :now WHERE at = :at"), {"now": now, "at": at})
        owner.execute(text("ALTER TABLE ledger_postings ENABLE TRIGGER append_only"))


def postings(installation: Installation) -> list[Line]:
    """Return what each resource's own department was posted, in order."""
    statement = text(
        "SELECT p.at, p.subject, a.resource_class, p.used FROM ledger_postings p"
        " JOIN ledger_accounts a ON a.id = p.account_id WHERE a.owner = p.origin ORDER BY p.at, p.id"
    )
    with transaction(installation.sessions) as session:
        rows = session.execute(statement).all()
    return [Line(round((r.at - BEGIN).total_seconds() / 60), str(r.subject), r.resource_class, r.used) for r in rows]


def brute_force(lines: list[Line], start: int, end: int) -> dict[tuple[str, str], int]:
    """Walk through the period minute by minute and count what everybody has: unit-minutes per resource and class."""
    has: dict[tuple[str, str], int] = defaultdict(int)
    total: dict[tuple[str, str], int] = defaultdict(int)
    waiting = list(lines)
    for minute in range(end):
        while waiting and waiting[0].minute <= minute:
            line = waiting.pop(0)
            has[line.subject, line.resource_class] += line.used
        if minute >= start:
            for key, units in has.items():
                total[key] += units
    return {key: minutes for key, minutes in total.items() if minutes}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_report_of_any_period_equals_counting_every_minute(installation: Installation, seed: int) -> None:
    with Lab(installation, hypervisors=3) as lab:
        history(lab, seed)
    spread_over_days(installation, seed)
    lines = postings(installation)
    last = lines[-1].minute
    assert len({line.minute for line in lines}) >= 15
    for start, end in ((0, last + 600), (0, last // 2), (last // 3, last // 2 + 11), (last - 5, last + 5)):
        expected = brute_force(lines, start, end)
        with transaction(installation.sessions) as session:
            found = usage(session, AUDITOR, BEGIN + timedelta(minutes=start), BEGIN + timedelta(minutes=end))
        assert {(line.resource, line.resource_class): line.hours * 60 for line in found} == pytest.approx(expected)
        assert {key: round(minutes) for key, minutes in expected.items()} == {
            (line.resource, line.resource_class): round(line.hours * 60) for line in found
        }
