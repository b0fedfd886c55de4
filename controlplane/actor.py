"""Who is asking. Frozen: nothing on the way of a request can widen it."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

Role = Literal[
    "system_admin",
    "security_admin",
    "audit_admin",
    "operator",
    "department_manager",
    "department_member",
    "auditor",
]


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, a token, the system itself, or nobody: whoever tries to come in.

    `department` is the one it belongs to, None for the centre's own people; `scope` is every department that it may
    see, None for all. `actions` are all that a token was made for, None where it is not confined. `user` is the
    account behind: one's own, or the owner of the token. `trace` is the id of the HTTP request or command, found again
    in the log and the audit trail.
    """

    id: UUID
    name: str
    kind: Literal["user", "token", "system", "nobody"]
    role: Role
    department: UUID | None = None
    scope: frozenset[UUID] | None = None
    trace: str | None = None
    actions: frozenset[str] | None = None
    user: UUID | None = None

    def sees(self, department: UUID | None) -> bool:
        """Tell whether things of `department` exist for this actor."""
        return self.scope is None or department in self.scope


def system(name: str, trace: str | None = None) -> Actor:
    """Return the actor for work without a signed-in person: the worker, the loader, the host's operator."""
    return Actor(UUID(int=0), name, "system", "system_admin", trace=trace)
