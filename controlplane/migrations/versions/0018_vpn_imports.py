"""imports of VPN accounts from tables"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"

APP_ROLE, CENTRE_ROLE = "steppe_app", "steppe_centre"

_OWN = "string_to_array(nullif(current_setting('steppe.departments', true), ''), ',')::uuid[]"
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the table and keep tenants apart in it."""
    _table()
    op.execute("ALTER TABLE vpn_imports ENABLE ROW LEVEL SECURITY")
    seen = f"department_id = ANY({_OWN})"
    op.execute(f"CREATE POLICY tenant ON vpn_imports TO {APP_ROLE} USING ({seen}) WITH CHECK ({seen})")
    op.execute(f"CREATE POLICY centre ON vpn_imports TO {CENTRE_ROLE} USING (true)")
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON vpn_imports TO {APP_ROLE}, {CENTRE_ROLE}")


def _table() -> None:
    op.create_table(
        "vpn_imports",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("created_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("department_id", sa.Uuid(), sa.ForeignKey("departments.id"), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary()),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("asked_by_name", sa.Text(), nullable=False),
        sa.Column("asked_kind", sa.Text(), nullable=False),
        sa.Column("asked_for", sa.Uuid()),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("problems", sa.Text()),
        sa.Column("problem_count", sa.Integer(), nullable=False),
        sa.Column("quota", postgresql.JSONB()),
        sa.Column("request_id", sa.Uuid(), sa.ForeignKey("requests.id")),
        sa.Column("ended_at", MOMENT),
        sa.CheckConstraint(
            "state IN ('checking', 'ready', 'bad', 'working', 'done', 'failed')",
            name=op.f("ck_vpn_imports_state_known"),
        ),
        sa.CheckConstraint(
            "(content IS NOT NULL) = (state IN ('checking', 'ready', 'working'))",
            name=op.f("ck_vpn_imports_content_needed"),
        ),
        sa.CheckConstraint(
            "(request_id IS NOT NULL) = (state = 'done')", name=op.f("ck_vpn_imports_done_has_a_request")
        ),
    )
    for columns in (["department_id", "created_at", "id"], ["created_at", "id"]):
        op.create_index(op.f(f"ix_vpn_imports_{'_'.join(columns)}"), "vpn_imports", columns)
