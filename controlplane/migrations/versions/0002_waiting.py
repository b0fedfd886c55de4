"""why a resource waits for its pool, and when it is tried again"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("resources", sa.Column("waiting_reason", sa.Text()))
    op.add_column("resources", sa.Column("next_try_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("resources", "next_try_at")
    op.drop_column("resources", "waiting_reason")
