"""What was used in a period: the integral of the ledger over time, with the names of who and what."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from controlplane.actor import Actor
from controlplane.models import Department, Resource, System
from controlplane.policy import authorize
from quotas import metering


@dataclass(frozen=True, slots=True)
class UsageLine:
    """Unit-hours of one class that one resource used."""

    department: str
    department_name: str
    system: str
    resource: str
    name: str
    resource_class: str
    hours: float


def usage(session: Session, actor: Actor, start: datetime, end: datetime) -> list[UsageLine]:
    """Return the use between two instants per resource and class, by department, system and name."""
    authorize(actor, "centre.read")
    names = {
        row.id: row
        for row in session.execute(
            select(
                Resource.id,
                Resource.name,
                Department.code.label("department"),
                Department.name.label("department_name"),
                System.code.label("system"),
            )
            .join(Department, Department.id == Resource.department_id)
            .outerjoin(System, System.id == Resource.system_id)
        )
    }
    lines = [
        UsageLine(
            names[u.subject].department,
            names[u.subject].department_name,
            names[u.subject].system or "",
            str(u.subject),
            names[u.subject].name,
            u.resource_class,
            u.hours,
        )
        for u in metering.usage(session, start, end)
        if u.subject in names
    ]
    return sorted(lines, key=lambda line: (line.department, line.system, line.name, line.resource, line.resource_class))


def of_resource(session: Session, actor: Actor, resource: Resource, end: datetime) -> dict[str, float]:
    """Return the unit-hours of each class that one resource, which a lookup let the actor have, used up to `end`."""
    authorize(actor, "resource.read")
    return metering.usage_of(session, resource.id, end)
