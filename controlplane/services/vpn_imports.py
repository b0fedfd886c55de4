"""Imports of VPN accounts from tables: sent, started, thrown away. Workers check them and carry them out."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from controlplane import audit, jobs, lookups
from controlplane.actor import Actor
from controlplane.attachments import names
from controlplane.attachments.contents import Upload
from controlplane.db import new_id
from controlplane.models import VpnImport
from controlplane.secrets import Keys
from controlplane.vpn_import.refusals import (
    ImportNotReady,
    ImportUnderWay,
    SheetMissing,
    SheetTooLarge,
    TooManyImports,
)
from controlplane.vpn_import.states import HELD, Asker
from controlplane.vpn_sheets import MIB, MOST_MIB

MOST_AT_ONCE = 10
KEPT_FOR = timedelta(days=1)
_KEPT_FOR_GOOD = ("working", "done")


@dataclass(frozen=True, slots=True)
class NewImport:
    """A table of accounts for a department; `upload` is None where no file was sent."""

    department: str | UUID
    upload: Upload | None


def make(session: Session, actor: Actor, keys: Keys, new: NewImport) -> VpnImport:
    """Keep a table, sealed, and have a worker check it. Nothing is asked for before it is started.

    Raises Forbidden, NotFound, SheetMissing, SheetTooLarge, TooManyImports.
    """
    department = lookups.department_for(session, actor, new.department, "resource.create", keep=True)
    if new.upload is None:
        raise SheetMissing
    if len(new.upload.content) > MOST_MIB * MIB:
        raise SheetTooLarge(most=MOST_MIB)
    under_way = select(func.count()).where(VpnImport.department_id == department.id, VpnImport.state.in_(HELD))
    if (session.scalar(under_way) or 0) >= MOST_AT_ONCE:
        raise TooManyImports(most=MOST_AT_ONCE)
    made = VpnImport(
        id=new_id(),
        department_id=department.id,
        state="checking",
        file_name=names.cleaned(new.upload.name),
        content=keys.sealing.encrypt(new.upload.content),
    )
    made.department = department
    _asked_by(made, actor)
    session.add(made)
    session.flush()
    session.refresh(made, ["created_at", "updated_at"])
    _record(session, actor, made, "create")
    jobs.enqueue_import(session, made.id, actor.trace)
    return made


def start(session: Session, actor: Actor, ref: str | UUID) -> VpnImport:
    """Have a worker carry out an import that was checked, with the rights that the actor has when it does.

    Raises Forbidden, NotFound, ImportNotReady.
    """
    found = lookups.vpn_import_for(session, actor, ref, "resource.create", lock=True)
    if found.state != "ready":
        raise ImportNotReady
    found.state, found.step, found.done = "working", "", 0
    found.version += 1
    _asked_by(found, actor)
    session.flush()
    _record(session, actor, found, "start")
    jobs.enqueue_import(session, found.id, actor.trace)
    return found


def discard(session: Session, actor: Actor, ref: str | UUID) -> None:
    """Throw an import away that was not started, or that failed. Raises Forbidden, NotFound, ImportUnderWay."""
    found = lookups.vpn_import_for(session, actor, ref, "resource.create", lock=True)
    if found.state in _KEPT_FOR_GOOD:
        raise ImportUnderWay
    _record(session, actor, found, "discard")
    session.delete(found)
    session.flush()


def forget_old(session: Session, now: datetime) -> int:
    """Throw away every import that nobody started within KEPT_FOR, or that failed; return how many."""
    old = delete(VpnImport).where(VpnImport.state.not_in(_KEPT_FOR_GOOD), VpnImport.created_at < now - KEPT_FOR)
    return len(session.scalars(old.returning(VpnImport.id)).all())


def _asked_by(one: VpnImport, actor: Actor) -> None:
    one.asked_by, one.asked_by_name = actor.id, actor.name
    one.asked_kind, one.asked_for = cast(Asker, actor.kind), actor.user


def _record(session: Session, actor: Actor, one: VpnImport, verb: str) -> None:
    details = {"rows": one.total} if one.total else {}
    act = audit.Act(f"vpn_import.{verb}", "vpn_import", one.id, one.file_name, one.department_id, details)
    audit.record(session, actor, [act])
