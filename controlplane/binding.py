"""Whom a transaction serves: what row-level security shows it is bound to it, and goes with it.

A connection of the web server begins as a role that sees no tenant's rows at all. Who somebody is is found out as the
role of the centre; from then on the transaction serves that somebody, and so does every later one of the same session.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy import Connection, event
from sqlalchemy.orm import Session

from controlplane.actor import Actor
from controlplane.db import APP_ROLE, CENTRE_ROLE
from quotas import wire


@dataclass(frozen=True, slots=True)
class _Tenant:
    """Settings of a transaction, as PostgreSQL keeps them: ids with commas between them."""

    departments: str
    lineage: str
    caller: str
    person: str


def unlock(session: Session) -> None:
    """Let this transaction see all, to find out who asks; within `wire.pipelined` it costs no round trip."""
    wire.run(session, _CENTRE, {"role": CENTRE_ROLE})


@contextmanager
def as_centre(session: Session) -> Iterator[None]:
    """Let a block see and change all, whomever the transaction serves: for what the centre itself decided.

    After an error the transaction, or the savepoint around the block, has to be rolled back.
    """
    [(before,)] = wire.run(session, "SELECT current_setting('role')")
    wire.run(session, _CENTRE, {"role": CENTRE_ROLE})
    yield
    wire.run(session, _CENTRE, {"role": before})


def serve_centre(session: Session) -> None:
    """Serve those who keep the door: what has no tenant yet, such as a sign-in."""
    session.info[_BOUND] = None
    unlock(session)


def serve(session: Session, actor: Actor) -> None:
    """Serve `actor` from here on: a tenant sees its own, whoever is of the centre sees all.

    To be called in a transaction that was unlocked.
    """
    if actor.scope is None:
        session.info[_BOUND] = None
        return
    caller, person = str(actor.id), str(actor.user or actor.id)
    settings = {"departments": _ids(actor.scope), "caller": caller, "person": person}
    reply = wire.run(session, _FIRST, {"role": APP_ROLE, "department": actor.department, **settings})
    [(lineage, *_)] = reply.fetchall()
    session.info[_BOUND] = _Tenant(lineage=lineage, **settings)


def served(session: Session, actor: Actor, lineage: str | None) -> None:
    """Take note of whom a statement with BIND bound the transaction to; every later one of the session goes with it.

    `lineage` is what BIND gave behind the columns of `who`.
    """
    if actor.scope is None:
        session.info[_BOUND] = None
        return
    caller, person = str(actor.id), str(actor.user or actor.id)
    session.info[_BOUND] = _Tenant(_ids(actor.scope), lineage or "", caller, person)


def _ids(departments: frozenset[UUID]) -> str:
    return ",".join(map(str, departments))


@event.listens_for(Session, "after_begin")
def _again(session: Session, _transaction: Any, connection: Connection) -> None:
    if _BOUND not in session.info:
        return
    tenant: _Tenant | None = session.info[_BOUND]
    driver: Any = connection.connection.driver_connection
    if tenant is None:
        driver.execute(_CENTRE, {"role": CENTRE_ROLE})
    else:
        named = {"departments": tenant.departments, "caller": tenant.caller, "person": tenant.person}
        driver.execute(_LATER, {"role": APP_ROLE, "lineage": tenant.lineage, **named})


BIND: LiteralString = """
    SELECT who.*,
           set_config('steppe.lineage', (
               SELECT array_to_string(lineage, ',') FROM departments WHERE id = who.department
           ), true),
           set_config('steppe.departments', array_to_string(who.scope, ','), true),
           set_config('steppe.caller', who.caller::text, true), set_config('steppe.person', who.person::text, true),
           set_config('role', CASE WHEN who.department IS NULL THEN %(centre)s ELSE %(tenant)s END, true)
    FROM who
"""
"""The end of a statement that finds out who asks, in a transaction that was unlocked: it binds the transaction to
`who`, of whom it wants caller, person, department and scope, and ROLES as parameters. It saves waiting once more."""

ROLES = {"centre": CENTRE_ROLE, "tenant": APP_ROLE}

_BOUND = "bound"
_CENTRE = "SELECT set_config('role', %(role)s, true)"

# Seen as the role that it begins as: what a plan may see is settled with it.
_FIRST = """
    SELECT set_config('steppe.lineage', (
               SELECT array_to_string(lineage, ',') FROM departments WHERE id = %(department)s
           ), true),
           set_config('steppe.departments', %(departments)s, true), set_config('steppe.caller', %(caller)s, true),
           set_config('steppe.person', %(person)s, true), set_config('role', %(role)s, true)
"""

_LATER = """
    SELECT set_config('steppe.lineage', %(lineage)s, true),
           set_config('steppe.departments', %(departments)s, true), set_config('steppe.caller', %(caller)s, true),
           set_config('steppe.person', %(person)s, true), set_config('role', %(role)s, true)
"""
