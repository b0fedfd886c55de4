"""What departments let in to their machines from outside."""

from typing import cast
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from controlplane.db import Base, Recorded
from controlplane.models.tenancy import Department
from provisioners.contract import Ingress, IngressProtocol

_FAMILY = "family(CAST(source AS cidr))"


class IngressRule(Recorded, Base):
    """A protocol that is let in to all machines of a department from the addresses of `source` (CIDR): of tcp and udp
    the ports `first_port` to `last_port`, or all without them."""

    __tablename__ = "ingress_rules"
    __table_args__ = (
        UniqueConstraint(
            *("department_id", "protocol", "first_port", "last_port", "source"), postgresql_nulls_not_distinct=True
        ),
        Index(None, "department_id", "created_at", "id"),
        Index(None, "created_at", "id"),
        CheckConstraint("protocol IN ('icmp', 'ipv6-icmp', 'tcp', 'udp')", name="protocol_known"),
        CheckConstraint(
            "(first_port IS NULL) = (last_port IS NULL) AND first_port BETWEEN 1 AND last_port AND last_port <= 65535",
            name="ports_sensible",
        ),
        CheckConstraint("first_port IS NULL OR protocol IN ('tcp', 'udp')", name="ports_of_tcp_and_udp"),
        CheckConstraint(f"{_FAMILY} IN (4, 6)", name="source_is_a_network"),
        CheckConstraint(
            f"protocol NOT IN ('icmp', 'ipv6-icmp') OR (protocol = 'icmp') = ({_FAMILY} = 4)", name="icmp_of_its_family"
        ),
        CheckConstraint("char_length(note) <= 200", name="note_short"),
    )

    department_id: Mapped[UUID] = mapped_column(ForeignKey("departments.id"))
    protocol: Mapped[str]
    first_port: Mapped[int | None]
    last_port: Mapped[int | None]
    source: Mapped[str]
    note: Mapped[str]

    department: Mapped[Department] = relationship()

    @property
    def says(self) -> Ingress:
        """What is let in, as pools are told."""
        return Ingress(cast("IngressProtocol", self.protocol), self.source, self.first_port, self.last_port)
