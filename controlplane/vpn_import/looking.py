"""What a worker does for an import: it looks in which state it is and does what that wants.

A job says only *look at this import*. Whatever state it leaves an import in is written in the same transaction as what
was done, and only where the import still is in the state that it was found in: so what a crash cut off is done again,
and what was done is not. Who asked is looked up again, as somebody may have left meanwhile.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, undefer

from controlplane import binding, lookups
from controlplane.actor import Actor, system
from controlplane.bootstrap import Installation
from controlplane.db import Sessions, is_away, transaction
from controlplane.entrance import Arrival, Entrance, Rules
from controlplane.errors import Unfinished
from controlplane.models import User, VpnImport
from controlplane.secrets import Keys
from controlplane.services import api_tokens, requests
from controlplane.vpn_import.attempt import KIND, Means, Submit, Table, attempt
from controlplane.vpn_import.problems import Faulty, problem, sealed
from controlplane.vpn_import.progress import Progress
from controlplane.vpn_import.refusals import AskerGone, ImportBroke
from controlplane.vpn_import.states import ImportState
from quotas import metering


@dataclass(frozen=True, slots=True)
class Desk:
    """What imports are looked at with."""

    sessions: Sessions
    keys: Keys
    rules: Rules
    zone: ZoneInfo


def desk(installation: Installation) -> Desk:
    """Return the desk of an installation."""
    of = Entrance.of(installation.settings)
    return Desk(installation.sessions, of.keys, of.rules, ZoneInfo(installation.settings.time_zone))


def look(desk: Desk, ref: UUID, trace: str | None = None) -> str:
    """Check or carry out an import, whichever it waits for; return the state that it was found in, or `gone`."""
    with transaction(desk.sessions) as session:
        found = session.scalar(select(VpnImport).where(VpnImport.id == ref).options(undefer(VpnImport.content)))
    if found is None:
        return "gone"
    try:
        if found.state == "checking":
            _check(desk, found, trace)
        elif found.state == "working":
            _carry_out(desk, found, trace)
    except Faulty as faulty:
        _give_up(desk, found, faulty)
    except Exception as error:
        # What the database's absence cut off is done again; nobody waits for what is a bug.
        if not is_away(error):
            _give_up(desk, found, Faulty([problem(ImportBroke(trace=trace or "-"))]))
        raise
    return found.state


def _give_up(desk: Desk, found: VpnImport, faulty: Faulty) -> None:
    state: ImportState = "bad" if found.state == "checking" else "failed"
    kept = {"problems": sealed(desk.keys, faulty.problems), "problem_count": len(faulty.problems)}
    with transaction(desk.sessions) as session:
        _end(session, found, state, content=None, ended_at=func.now(), **kept)


def _check(desk: Desk, found: VpnImport, trace: str | None) -> None:
    with desk.sessions() as session:
        before = _balance(session, found.department_id)
        submitted = _attempt(desk, session, found, trace, requests.rehearse)
        count = len(submitted.resources)
        session.rollback()
    quota = {**before, "after": before["before"] + count}
    with transaction(desk.sessions) as session:
        _end(session, found, "ready", total=count, done=count, step="", quota=quota)


def _carry_out(desk: Desk, found: VpnImport, trace: str | None) -> None:
    with desk.sessions() as session:
        submitted = _attempt(desk, session, found, trace, requests.submit)
        count = len(submitted.resources)
        Progress(desk.sessions, found.id)("committing", count, count)
        done = {"request_id": submitted.id, "total": count, "done": count, "step": ""}
        if _end(session, found, "done", content=None, ended_at=func.now(), **done):
            session.commit()


def _attempt(desk: Desk, session: Session, found: VpnImport, trace: str | None, submit: Submit) -> requests.Submitted:
    actor = _asker(desk, session, found, trace)
    # From here on it is shown and let do no more than by the web server.
    binding.serve(session, actor)
    means = Means(desk.keys, desk.zone, Progress(desk.sessions, found.id), submit)
    content = desk.keys.sealing.decrypt(found.content or b"")
    return attempt(session, actor, means, Table(found.department_id, found.file_name, content))


def _end(session: Session, found: VpnImport, state: ImportState, **values: Any) -> bool:
    """Bring an import to another state, where it still is in the one that it was found in."""
    changing = update(VpnImport).where(VpnImport.id == found.id, VpnImport.state == found.state)
    values = {"state": state, "version": VpnImport.version + 1, **values}
    return session.scalar(changing.values(**values).returning(VpnImport.id)) is not None


def _asker(desk: Desk, session: Session, found: VpnImport, trace: str | None) -> Actor:
    """Return who asked, with the rights of this moment. Raises Faulty where there are none any more."""
    actor = None
    if found.asked_kind == "system":
        actor = system(found.asked_by_name, trace)
    elif found.asked_kind == "user":
        actor = _person(session, found.asked_by, trace)
    else:
        try:
            arrival = Arrival(trace=trace, now=datetime.now(UTC))
            actor = api_tokens.actor_again(session, desk.rules, found.asked_by, arrival)
        except Unfinished:
            actor = None
    if actor is None:
        raise Faulty([problem(AskerGone(name=found.asked_by_name))])
    return actor


def _person(session: Session, ref: UUID, trace: str | None) -> Actor | None:
    user = session.scalar(select(User).where(User.id == ref, User.disabled_at.is_(None)))
    if user is None:
        return None
    scope = frozenset(lookups.subtree_of(session, user.department_id)) if user.department_id else None
    return Actor(user.id, user.name, "user", user.role, user.department_id, scope, trace, None, user.id)


def _balance(session: Session, department: UUID) -> dict[str, Any]:
    of = metering.balances(session, [department]).get(department, ())
    balance = next((one for one in of if one.resource_class == KIND), None)
    if balance is None:
        return {"limit": 0, "held": 0, "before": 0}
    return {"limit": balance.limit, "held": balance.held, "before": balance.used}
