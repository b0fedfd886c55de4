"""Who may open which console, for a moment."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from controlplane.db import Base, Recorded


class ConsoleTicket(Recorded, Base):
    """The right of one user or token to open one console once. Only the SHA-256 of its 256 random bits is kept.

    `origin` is the site whose page asked; None where no browser did.
    """

    __tablename__ = "console_tickets"

    secret_hash: Mapped[bytes] = mapped_column(unique=True)
    actor_id: Mapped[UUID]
    actor_kind: Mapped[str]
    resource_id: Mapped[UUID] = mapped_column(ForeignKey("resources.id"), index=True)
    origin: Mapped[str | None]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    redeemed_at: Mapped[datetime | None]
