"""Ten thousand leases that are due cost a pass as many statements as one does."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import psycopg
from sqlalchemy import event, text

from controlplane import lease_sweep, unused
from controlplane.db import transaction
from controlplane.lease_sweep import Swept
from quotas import pipeline
from tests.leases.conftest import WORKER, Leasing

MANY = 10_000


@contextmanager
def counted(leasing: Leasing) -> Iterator[list[str]]:
    """Note every statement that goes to the server, SQLAlchemy's and our own."""
    seen: list[str] = []
    engine = leasing.lab.installation.engine

    def note(*args: object) -> None:
        seen.extend([str(args[2])] * (len(args[3]) if args[5] else 1))  # type: ignore[arg-type]

    real = pipeline.Pipeline.send

    def noted(self: pipeline.Pipeline, statement: object, *more: object) -> object:
        seen.append(str(statement))
        return real(self, statement, *more)  # type: ignore[arg-type]

    event.listen(engine, "before_cursor_execute", note)
    pipeline.Pipeline.send = noted  # type: ignore[assignment, method-assign]
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)
        pipeline.Pipeline.send = real  # type: ignore[method-assign]


def pass_of(leasing: Leasing) -> tuple[Swept, int]:
    with counted(leasing) as seen, transaction(leasing.lab.sessions) as session:
        swept = lease_sweep.sweep(session, WORKER, leasing.now)
        unused.follow(session, WORKER, leasing.now)
        session.execute(_SETTLED)
    return swept, len(seen)


def multiply(leasing: Leasing) -> None:
    with psycopg.connect(leasing.lab.installation.url, autocommit=True) as connection:
        connection.execute(_MULTIPLIED, {"many": MANY - 1})


def test_a_pass_takes_no_more_statements_for_ten_thousand_than_for_one(leasing: Leasing) -> None:
    leasing.leased(days=40)
    few: list[tuple[int, int]] = []
    many: list[tuple[int, int]] = []
    for count in (few, many):
        for days in (39, 1, 7, 30):
            leasing.later(days=days)
            swept, statements = pass_of(leasing)
            count.append((max(swept.warned, swept.stopped, swept.quarantined, swept.deleted), statements))
        if count is few:
            with transaction(leasing.lab.sessions) as session:
                session.execute(_AGAIN, {"until": leasing.now + timedelta(days=40)})
            multiply(leasing)
    assert [rows for rows, _ in few] == [1, 1, 1, 1]
    assert [rows for rows, _ in many] == [MANY] * 4
    assert [statements for _, statements in many] == [statements for _, statements in few]


_AGAIN = text("""
    UPDATE resources SET lease_until = :until, lease_stage = 'granted', lease_stage_at = NULL, lease_warned = NULL,
           lease_stopped = false, desired = 'present', state = 'running', wanted = wanted || '{"power": "on"}'
""")

_SETTLED = text("UPDATE resources SET state = 'stopped' WHERE state = 'changing'")

_MULTIPLIED = """
    INSERT INTO resources (id, kind, name, department_id, system_id, pool_id, request_id, state, desired, spec, wanted,
                           demand, generation, observed_generation, version, lease_until)
    SELECT gen_random_uuid(), kind, name || '-' || n, department_id, system_id, pool_id, request_id, state, desired,
           spec, wanted, demand, generation, observed_generation, version, lease_until
    FROM resources, generate_series(1, %(many)s) n
"""
