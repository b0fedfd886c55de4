"""tickets that open a console once"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

APP_ROLE = "steppe_app"


def upgrade() -> None:
    op.create_table(
        "console_tickets",
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("resource_id", sa.Uuid(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("redeemed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["resource_id"], ["resources.id"], name=op.f("fk_console_tickets_resource_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_console_tickets")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_console_tickets_secret_hash")),
    )
    op.create_index(op.f("ix_console_tickets_expires_at"), "console_tickets", ["expires_at"], unique=False)
    op.create_index(op.f("ix_console_tickets_resource_id"), "console_tickets", ["resource_id"], unique=False)
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON console_tickets TO {APP_ROLE}")
