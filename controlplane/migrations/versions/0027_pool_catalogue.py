"""how the catalogue and each pool match"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0027"
down_revision = "0026"

APP_ROLE, CENTRE_ROLE = "steppe_app", "steppe_centre"


def upgrade() -> None:
    """Keep what the last sweep found of it; no tenant sees any."""
    op.create_table(
        "pool_catalogue",
        sa.Column("pool_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("unusable", sa.Integer(), nullable=False),
        sa.Column("found", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["pool_id"], ["pools.id"], name=op.f("fk_pool_catalogue_pool_id_pools"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pool_id", name=op.f("pk_pool_catalogue")),
    )
    op.execute(f"REVOKE ALL ON pool_catalogue FROM {APP_ROLE}")
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON pool_catalogue TO {CENTRE_ROLE}")


def downgrade() -> None:
    """Forget it: the next sweep finds it again."""
    op.drop_table("pool_catalogue")
