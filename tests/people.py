"""The same few people everywhere."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from controlplane.actor import Actor, Role, system
from controlplane.lookups import subtree_of
from controlplane.models import Department

ADMIN = Actor(uuid4(), "Admin", "user", "system_admin")
SECURITY = Actor(uuid4(), "Security", "user", "security_admin")
AUDIT = Actor(uuid4(), "Audit", "user", "audit_admin")
AUDITOR = Actor(uuid4(), "Auditor", "user", "auditor")
OPERATOR = system("tests")


@dataclass(frozen=True)
class Staff:
    """People of one department."""

    manager: Actor
    colleague: Actor


def staff_of(session: Session, department: Department) -> Staff:
    """Return the manager of a department and her colleague."""
    scope = subtree_of(session, department.id)

    def person(name: str, role: Role) -> Actor:
        return Actor(uuid4(), name, "user", role, department.id, frozenset(scope))

    return Staff(person("Manager", "department_manager"), person("Colleague", "department_member"))


def stranger(department: UUID) -> Actor:
    """Return the manager of another department than the one that a test is about."""
    return Actor(uuid4(), "Stranger", "user", "department_manager", department, frozenset({department}))
