"""Business systems of departments."""

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from controlplane import audit, lookups
from controlplane.actor import Actor
from controlplane.conflicts import lock_row, refusing_duplicates
from controlplane.db import new_id
from controlplane.errors import AlreadyExists, Forbidden, InUse, Stale
from controlplane.models import Resource, System
from controlplane.policy import OF_DEPARTMENTS


@dataclass(frozen=True, slots=True)
class NewSystem:
    """A system to be; its code is unique within its department."""

    department: str
    code: str
    name: str
    name_en: str
    mlps_level: int
    contact_name: str
    contact_phone: str
    contact_email: str


def create(session: Session, actor: Actor, new: NewSystem) -> System:
    """Register a system. Raises AlreadyExists, NotFound for the department."""
    department = lookups.department_for(session, actor, new.department, "system.write")
    taken = select(System.id).where(System.department_id == department.id, System.code == new.code)
    if session.scalar(taken):
        raise AlreadyExists(noun="system", name=new.code)
    values = {key: value for key, value in asdict(new).items() if key != "department"}
    system = System(id=new_id(), department_id=department.id, **values)
    system.department = department
    session.add(system)
    with refusing_duplicates("system", new.code):
        session.flush()
    audit.record(session, actor, [_said(system, "create", {"mlps_level": new.mlps_level})])
    return system


def update(session: Session, actor: Actor, ref: str, values: dict[str, Any], version: int | None = None) -> System:
    """Change names, contact or level. Raises NotFound, Stale; InUse where the level rises while it holds resources;
    Forbidden where somebody of a department lowers it."""
    system = lookups.system_for(session, actor, ref, "system.write")
    if version is not None and version != system.version:
        raise Stale
    level = values.get("mlps_level", system.mlps_level)
    if level < system.mlps_level and actor.role in OF_DEPARTMENTS:
        # The level decides who approves what: a department does not free itself of it.
        raise Forbidden(role=actor.role, action="system.lower_level")
    if level > system.mlps_level and _resources(session, system):
        raise InUse(noun="system", name=system.code, users="resources, placed for its present level")
    before = {key: getattr(system, key) for key in values if not key.startswith("contact_")}
    for key, value in values.items():
        setattr(system, key, value)
    system.version += 1
    audit.record(session, actor, [_said(system, "update", {"before": before, "changed": sorted(values)})])
    session.flush()
    return system


def delete(session: Session, actor: Actor, ref: str) -> None:
    """Close a system that nothing serves any more. Raises InUse."""
    system = lookups.system_for(session, actor, ref, "system.write")
    lock_row(session, system)
    count = _resources(session, system)
    if count:
        raise InUse(noun="system", name=system.code, users=f"{count} resources")
    system.deleted_at = func.now()
    system.version += 1
    audit.record(session, actor, [_said(system, "delete", {})])
    session.flush()


def _resources(session: Session, system: System) -> int:
    query = select(func.count()).where(Resource.system_id == system.id, Resource.deleted_at.is_(None))
    return session.scalar(query) or 0


def _said(system: System, verb: str, details: dict[str, Any]) -> audit.Act:
    return audit.Act(f"system.{verb}", "system", system.id, system.name, system.department_id, details)
