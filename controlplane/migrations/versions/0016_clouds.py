"""what a pool works on by itself; no password of a pool in clear"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Mark what is watched, and find it by its pool."""
    op.add_column("resources", sa.Column("underway_since", sa.DateTime(timezone=True)))
    op.create_index(
        "ix_resources_underway",
        "resources",
        ["pool_id", "id"],
        postgresql_where=sa.text("underway_since IS NOT NULL"),
    )
    op.create_check_constraint(
        op.f("ck_pools_password_sealed"),
        "pools",
        "jsonb_typeof(connection -> 'password') IS DISTINCT FROM 'string'",
    )


def downgrade() -> None:
    """Forget it: looks come again by the sweep."""
    op.drop_constraint(op.f("ck_pools_password_sealed"), "pools")
    op.drop_index("ix_resources_underway", "resources")
    op.drop_column("resources", "underway_since")
