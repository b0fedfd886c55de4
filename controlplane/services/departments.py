"""Departments and their quotas."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete as forget
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from controlplane import audit, jobs, lookups
from controlplane.actor import Actor
from controlplane.conflicts import lock_row, refusing_duplicates
from controlplane.db import new_id
from controlplane.errors import AlreadyExists, InUse, Invalid, Stale
from controlplane.kinds import KINDS
from controlplane.limits import set_limits
from controlplane.models import Department, IngressRule, Resource, Subnet, System
from controlplane.tree import lock_tree

CLASSES: frozenset[str] = frozenset(c for kind in KINDS.values() for c in kind.classes)


@dataclass(frozen=True, slots=True)
class NewDepartment:
    """A department to be. `limits` of classes that are not named stay unset: nothing of them is granted."""

    code: str
    name: str
    name_en: str
    site: str
    parent: str | None = None
    limits: Mapping[str, int | None] = field(default_factory=dict)


def create(session: Session, actor: Actor, new: NewDepartment) -> Department:
    """Create a department. Raises AlreadyExists, NotFound for site or parent, Invalid for an unknown class."""
    site = lookups.site_for(session, actor, new.site, "department.write")
    parent = _parent(session, actor, new.parent) if new.parent else None
    if session.scalar(select(Department.id).where(Department.code == new.code)):
        raise AlreadyExists(noun="department", name=new.code)
    department = Department(
        id=new_id(), code=new.code, name=new.name, name_en=new.name_en, site_id=site.id, parent_id=None
    )
    department.site = site
    department.parent = parent
    department.lineage = [*(parent.lineage if parent else []), department.id]
    session.add(department)
    with refusing_duplicates("department", new.code):
        session.flush()
    audit.record(session, actor, [_said(department, "create", {"parent": new.parent, "site": site.code})])
    if new.limits:
        set_quota(session, actor, department, new.limits)
    return department


def update(
    session: Session, actor: Actor, ref: str, names: Mapping[str, str], version: int | None = None
) -> Department:
    """Change `name` or `name_en`. Raises NotFound, Stale."""
    department = lookups.department_for(session, actor, ref, "department.write")
    if version is not None and version != department.version:
        raise Stale
    before = {key: getattr(department, key) for key in names}
    for key, value in names.items():
        setattr(department, key, value)
    department.version += 1
    audit.record(session, actor, [_said(department, "update", {"before": before, "after": dict(names)})])
    session.flush()
    return department


def set_quota(
    session: Session, actor: Actor, department: Department | str, limits: Mapping[str, int | None]
) -> Department:
    """Set limits per class, None for unlimited. A limit below what is used stops growth and takes nothing away."""
    if isinstance(department, str):
        department = lookups.department_for(session, actor, department, "quota.write")
    unknown = sorted(limits.keys() - CLASSES)
    if unknown:
        raise Invalid(
            field="limits", reason=f"{', '.join(unknown)}: no such class; there are {', '.join(sorted(CLASSES))}"
        )
    negative = sorted(c for c, limit in limits.items() if limit is not None and limit < 0)
    if negative:
        raise Invalid(field="limits", reason=f"{', '.join(negative)}: a limit is 0 or more, or none")
    set_limits(session, department.id, limits)
    audit.record(session, actor, [_said(department, "set_quota", {"limits": dict(limits)})])
    return department


def delete(session: Session, actor: Actor, ref: str, now: Any = None) -> None:
    """Close a department that holds nothing any more. Raises InUse."""
    department = lookups.department_for(session, actor, ref, "department.write")
    lock_row(session, department)
    users = {
        "resources": select(func.count()).where(Resource.department_id == department.id, Resource.deleted_at.is_(None)),
        "systems": select(func.count()).where(System.department_id == department.id, System.deleted_at.is_(None)),
        "departments": select(func.count()).where(
            Department.parent_id == department.id, Department.deleted_at.is_(None)
        ),
        "subnets": select(func.count()).where(Subnet.department_id == department.id),
    }
    counts = {noun: session.scalar(query) for noun, query in users.items()}
    if any(counts.values()):
        raise InUse(
            noun="department", name=department.code, users=", ".join(f"{n} {noun}" for noun, n in counts.items() if n)
        )
    session.execute(forget(IngressRule).where(IngressRule.department_id == department.id))
    department.deleted_at = now or func.now()
    department.version += 1
    audit.record(session, actor, [_said(department, "delete", {})])
    jobs.enqueue_follow(session, department.id, actor.trace)
    session.flush()


def _parent(session: Session, actor: Actor, code: str) -> Department:
    """Return the department above a new one, which stays open until the new one is there."""
    lock_tree(session)
    return lookups.department_for(session, actor, code, "department.write", keep=True)


def _said(department: Department, verb: str, details: dict[str, Any]) -> audit.Act:
    return audit.Act(f"department.{verb}", "department", department.id, department.name, department.id, details)
