"""What a department can choose from: flavors and images."""

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from controlplane.db import Base, Recorded


class Flavor(Recorded, Base):
    """A size that has a name. Memory in MiB, disk in GiB."""

    __tablename__ = "flavors"
    __table_args__ = (CheckConstraint("vcpu > 0 AND memory_mib > 0 AND disk_gib > 0", name="positive"),)

    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    vcpu: Mapped[int]
    memory_mib: Mapped[int]
    disk_gib: Mapped[int]
    offered: Mapped[bool] = mapped_column(default=True)


class Image(Recorded, Base):
    """An operating system to start from. `source` is a path that the hypervisor host can read."""

    __tablename__ = "images"
    __table_args__ = (CheckConstraint("min_disk_gib > 0", name="positive"),)

    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    os: Mapped[str]
    min_disk_gib: Mapped[int]
    source: Mapped[str | None]
    sha256: Mapped[str | None]
    offered: Mapped[bool] = mapped_column(default=True)
