"""Files that came with a request. Lists read all of them but what is in them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from controlplane.db import Base, new_id
from controlplane.models.tenancy import Department


class RequestAttachment(Base):
    """One file, as it was sent; never changed. `content` is read by who asks for it alone."""

    __tablename__ = "request_attachments"
    __table_args__ = (Index(None, "request_id", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    request_id: Mapped[UUID] = mapped_column(ForeignKey("requests.id"))
    department_id: Mapped[UUID] = mapped_column(ForeignKey(Department.id))
    name: Mapped[str]
    media_type: Mapped[str]
    size: Mapped[int]
    sha256: Mapped[str]
    content: Mapped[bytes] = mapped_column(deferred=True)
    added_by: Mapped[UUID]
    added_by_name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
