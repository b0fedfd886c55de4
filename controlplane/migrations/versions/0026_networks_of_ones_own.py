"""subnets that are a department's own: shown to it, to those below it, and to whoever is of the centre"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"

APP_ROLE, CENTRE_ROLE = "steppe_app", "steppe_centre"

_OWN = "(SELECT string_to_array(nullif(current_setting('steppe.departments', true), ''), ',')::uuid[])::uuid[]"
_ABOVE = "(SELECT string_to_array(nullif(current_setting('steppe.lineage', true), ''), ',')::uuid[])::uuid[]"
SEEN = f"department_id IS NULL OR department_id = ANY({_OWN}) OR department_id = ANY({_ABOVE})"


def upgrade() -> None:
    """Let a subnet have a department, and keep it from all others."""
    op.add_column("subnets", sa.Column("department_id", sa.Uuid()))
    op.create_foreign_key(
        op.f("fk_subnets_department_id_departments"), "subnets", "departments", ["department_id"], ["id"]
    )
    op.create_index(op.f("ix_subnets_department_id"), "subnets", ["department_id"])
    op.execute("ALTER TABLE subnets ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY tenant ON subnets TO {APP_ROLE} USING ({SEEN})")
    op.execute(f"CREATE POLICY centre ON subnets TO {CENTRE_ROLE} USING (true)")
