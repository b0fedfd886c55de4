"""subnets of floating addresses, by which machines are reached from outside"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    """Let a subnet be one of floating addresses, which is never one department's own."""
    op.add_column("subnets", sa.Column("floating", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.create_check_constraint(op.f("ck_subnets_floating_for_all"), "subnets", "NOT floating OR department_id IS NULL")


def downgrade() -> None:
    """Forget which subnets were floating."""
    op.drop_constraint(op.f("ck_subnets_floating_for_all"), "subnets")
    op.drop_column("subnets", "floating")
