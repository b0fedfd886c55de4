"""drift"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

APP_ROLE = "steppe_app"
OPEN = sa.text("closed_at IS NULL")


def upgrade() -> None:
    op.add_column("pools", sa.Column("drift_policy", sa.Text(), server_default="repair", nullable=False))
    op.create_check_constraint(op.f("ck_pools_drift_policy_known"), "pools", "drift_policy IN ('repair', 'report')")
    _create_tables()
    _create_indexes()
    op.execute(f"GRANT SELECT, INSERT, UPDATE ON drifts TO {APP_ROLE}")
    op.execute(f"GRANT SELECT, INSERT, UPDATE ON pool_checks TO {APP_ROLE}")


def _create_tables() -> None:
    op.create_table(
        "drifts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("pool_id", sa.Uuid(), nullable=False),
        sa.Column("resource_id", sa.Uuid(), nullable=True),
        sa.Column("external_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=True),
        sa.Column("differences", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_by_name", sa.Text(), nullable=True),
        sa.CheckConstraint("kind IN ('missing', 'unknown', 'different')", name=op.f("ck_drifts_kind_known")),
        sa.CheckConstraint("decision IN ('repair', 'accept', 'adopt')", name=op.f("ck_drifts_decision_known")),
        sa.CheckConstraint(
            "outcome IN ('repaired', 'accepted', 'adopted', 'removed', 'vanished')"
            " AND (outcome IS NULL) = (closed_at IS NULL)",
            name=op.f("ck_drifts_closed_with_outcome"),
        ),
        sa.ForeignKeyConstraint(["pool_id"], ["pools.id"], name=op.f("fk_drifts_pool_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["resource_id"], ["resources.id"], name=op.f("fk_drifts_resource_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drifts")),
    )
    op.create_table(
        "pool_checks",
        sa.Column("pool_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("machines", sa.Integer(), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["pool_id"], ["pools.id"], name=op.f("fk_pool_checks_pool_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("pool_id", name=op.f("pk_pool_checks")),
    )


def _create_indexes() -> None:
    op.create_index("uq_drifts_open", "drifts", ["pool_id", "external_id", "kind"], unique=True, postgresql_where=OPEN)
    op.create_index("ix_drifts_open_first_seen", "drifts", ["first_seen", "id"], postgresql_where=OPEN)
    op.create_index(op.f("ix_drifts_first_seen_id"), "drifts", ["first_seen", "id"])
    op.create_index(op.f("ix_drifts_pool_id_first_seen_id"), "drifts", ["pool_id", "first_seen", "id"])
    op.create_index(op.f("ix_drifts_kind_first_seen_id"), "drifts", ["kind", "first_seen", "id"])
    op.create_index(op.f("ix_drifts_resource_id"), "drifts", ["resource_id"])
