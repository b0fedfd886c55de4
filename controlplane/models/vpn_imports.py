"""Imports of VPN accounts from tables: what was sent, how far each is, what is wrong with it, what came of it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from controlplane.db import Base, Recorded
from controlplane.models.tenancy import Department
from controlplane.vpn_import.states import HELD, STATES, Asker, ImportState


def _one_of(states: tuple[str, ...]) -> str:
    return f"state IN ({', '.join(repr(state) for state in states)})"


class VpnImport(Recorded, Base):
    """One import. `content` is the file, sealed, and gone once it is needed no more; `problems` are the first of them,
    sealed too, for a sentence may quote the file.

    `asked_by` is who last asked something of it, `asked_kind` what kind of actor that is, `asked_for` the person
    behind: what is done is done with his rights of that moment. `step`, `done` and `total` tell how far it is. `quota`:
    `limit`, `held`, `before` and `after` in VPN accounts.
    """

    __tablename__ = "vpn_imports"
    __table_args__ = (
        CheckConstraint(_one_of(STATES), name="state_known"),
        CheckConstraint(f"(content IS NOT NULL) = ({_one_of(HELD)})", name="content_needed"),
        CheckConstraint("(request_id IS NOT NULL) = (state = 'done')", name="done_has_a_request"),
        Index(None, "department_id", "created_at", "id"),
        Index(None, "created_at", "id"),
    )

    department_id: Mapped[UUID] = mapped_column(ForeignKey("departments.id"))
    state: Mapped[ImportState] = mapped_column(Text)
    file_name: Mapped[str]
    content: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    asked_by: Mapped[UUID]
    asked_by_name: Mapped[str]
    asked_kind: Mapped[Asker] = mapped_column(Text)
    asked_for: Mapped[UUID | None]
    step: Mapped[str] = mapped_column(default="")
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    problems: Mapped[str | None] = mapped_column(deferred=True)
    problem_count: Mapped[int] = mapped_column(default=0)
    quota: Mapped[dict[str, Any] | None]
    request_id: Mapped[UUID | None] = mapped_column(ForeignKey("requests.id"))
    ended_at: Mapped[datetime | None]

    department: Mapped[Department] = relationship()
