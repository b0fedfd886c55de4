"""clouds: what a pool works on by itself, departments' projects and their quota; no secret of a pool in clear"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"

APP_ROLE, CENTRE_ROLE = "steppe_app", "steppe_centre"
KINDS = "kind IN ('missing', 'unknown', 'different')"
KINDS_NOW = "kind IN ('missing', 'unknown', 'different', 'quota')"
SECRET = ("application_credential_secret", "password", "token")


def upgrade() -> None:
    """Mark what is watched, remember projects, and let the database refuse what would be a secret in clear."""
    op.add_column("resources", sa.Column("underway_since", sa.DateTime(timezone=True)))
    op.create_index(
        "ix_resources_underway",
        "resources",
        ["pool_id", "id"],
        postgresql_where=sa.text("underway_since IS NOT NULL"),
    )
    follows: sa.Column[bool] = sa.Column(
        "capacity_follows", sa.Boolean(), server_default=sa.text("false"), nullable=False
    )
    op.add_column("pools", follows)
    op.create_check_constraint(
        op.f("ck_pools_secrets_sealed"),
        "pools",
        " AND ".join(
            f"connection -> '{name}' IN ('null', jsonb_build_object('sealed', connection -> '{name}' -> 'sealed'))"
            for name in SECRET
        ),
    )
    op.create_table(
        "projects",
        sa.Column("pool_id", sa.Uuid(), nullable=False),
        sa.Column("department_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("limits", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["department_id"], ["departments.id"], name=op.f("fk_projects_department_id_departments")
        ),
        sa.ForeignKeyConstraint(["pool_id"], ["pools.id"], name=op.f("fk_projects_pool_id_pools"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("pool_id", "department_id", name=op.f("pk_projects")),
    )
    op.create_index(op.f("ix_projects_department_id"), "projects", ["department_id"])
    op.execute(f"REVOKE ALL ON projects FROM {APP_ROLE}")
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON projects TO {CENTRE_ROLE}")
    _kinds(KINDS_NOW)


def downgrade() -> None:
    """Forget it: looks come again by the sweep."""
    op.execute("DELETE FROM drifts WHERE kind = 'quota'")
    _kinds(KINDS)
    op.drop_table("projects")
    op.drop_constraint(op.f("ck_pools_secrets_sealed"), "pools")
    op.drop_column("pools", "capacity_follows")
    op.drop_index("ix_resources_underway", "resources")
    op.drop_column("resources", "underway_since")


def _kinds(known: str) -> None:
    op.drop_constraint(op.f("ck_drifts_kind_known"), "drifts")
    op.create_check_constraint(op.f("ck_drifts_kind_known"), "drifts", known)
