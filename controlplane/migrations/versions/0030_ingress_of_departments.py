"""what departments let in to their machines, and what of it was written to their projects"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0030"
down_revision = "0029"

APP_ROLE, CENTRE_ROLE = "steppe_app", "steppe_centre"

_OWN = "(SELECT string_to_array(nullif(current_setting('steppe.departments', true), ''), ',')::uuid[])::uuid[]"
_FAMILY = "family(CAST(source AS cidr))"
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the table and keep tenants apart in it."""
    _table()
    op.execute("ALTER TABLE ingress_rules ENABLE ROW LEVEL SECURITY")
    seen = f"department_id = ANY({_OWN})"
    op.execute(f"CREATE POLICY tenant ON ingress_rules TO {APP_ROLE} USING ({seen}) WITH CHECK ({seen})")
    op.execute(f"CREATE POLICY centre ON ingress_rules TO {CENTRE_ROLE} USING (true)")
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ingress_rules TO {APP_ROLE}, {CENTRE_ROLE}")
    empty = sa.text("'[]'::jsonb")
    op.add_column("projects", sa.Column("ingress", postgresql.JSONB(), server_default=empty, nullable=False))


def _table() -> None:
    op.create_table(
        "ingress_rules",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("created_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("department_id", sa.Uuid(), sa.ForeignKey("departments.id"), nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("first_port", sa.Integer()),
        sa.Column("last_port", sa.Integer()),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.UniqueConstraint(
            *("department_id", "protocol", "first_port", "last_port", "source"),
            name=op.f("uq_ingress_rules_department_id_protocol_first_port_last_port_source"),
            postgresql_nulls_not_distinct=True,
        ),
        _check("protocol_known", "protocol IN ('icmp', 'ipv6-icmp', 'tcp', 'udp')"),
        _check(
            "ports_sensible",
            "(first_port IS NULL) = (last_port IS NULL) AND first_port BETWEEN 1 AND last_port AND last_port <= 65535",
        ),
        _check("ports_of_tcp_and_udp", "first_port IS NULL OR protocol IN ('tcp', 'udp')"),
        _check("source_is_a_network", f"{_FAMILY} IN (4, 6)"),
        _check(
            "icmp_of_its_family",
            f"protocol NOT IN ('icmp', 'ipv6-icmp') OR (protocol = 'icmp') = ({_FAMILY} = 4)",
        ),
        _check("note_short", "char_length(note) <= 200"),
    )
    for columns in (["department_id", "created_at", "id"], ["created_at", "id"]):
        op.create_index(op.f(f"ix_ingress_rules_{'_'.join(columns)}"), "ingress_rules", columns)


def _check(name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_ingress_rules_{name}"))
