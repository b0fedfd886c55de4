"""VPN accounts that wait to be confirmed, found by department"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Make the index; few accounts are in it but in the month before they are due."""
    told = sa.text("confirm_told_at IS NOT NULL")
    op.create_index("ix_vpn_accounts_to_confirm", "vpn_accounts", ["department_id"], postgresql_where=told)
