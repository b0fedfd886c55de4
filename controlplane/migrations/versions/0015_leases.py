"""leases: how far each has gone, legal holds, who was asked whether a resource is still needed"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

STAGES = "'granted', 'warned', 'ended', 'stopped', 'quarantined', 'deleting'"
LIVE = "deleted_at IS NULL"
LEASED = f"lease_until IS NOT NULL AND {LIVE}"

TIMES = (
    *("lease_stage_at", "contract_end", "hold_at", "unused_asked_at", "unused_answer_by", "kept_until"),
    "removal_began_at",
)

INDEXES = {
    "ix_resources_lease": (["lease_until", "id"], LEASED),
    "ix_resources_lease_of_department": (["department_id", "lease_until", "id"], LEASED),
    "ix_resources_contract": (["contract_end"], f"contract_end IS NOT NULL AND {LIVE}"),
    "ix_resources_lease_over": (
        ["lease_stage", "lease_stage_at"],
        "lease_stage IN ('ended', 'stopped', 'quarantined')",
    ),
    "ix_resources_hold": (["hold_at", "id"], f"hold_at IS NOT NULL AND {LIVE}"),
    "ix_resources_state_since": (["state_since", "id"], LIVE),
    "ix_resources_unused": (["unused_answer_by"], "unused_asked_at IS NOT NULL"),
}

# Whatever writes the state, its time goes with it.
_SINCE = """
    CREATE FUNCTION note_state_since() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.state_since := now();
        RETURN NEW;
    END $$
"""

_NOTED = """
    CREATE TRIGGER state_since BEFORE UPDATE OF state ON resources
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION note_state_since()
"""


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.add_column("resources", sa.Column("state_since", moment, server_default=sa.text("now()"), nullable=False))
    op.execute("UPDATE resources SET state_since = updated_at")
    op.add_column("resources", sa.Column("lease_stage", sa.Text(), server_default="granted", nullable=False))
    op.add_column(
        "resources", sa.Column("lease_stopped", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    for name in TIMES:
        op.add_column("resources", sa.Column(name, moment, nullable=True))
    for name in ("lease_warned", "contract_warned"):
        op.add_column("resources", sa.Column(name, sa.Integer(), nullable=True))
    for name in ("hold_reason", "hold_by"):
        op.add_column("resources", sa.Column(name, sa.Text(), nullable=True))
    op.create_check_constraint(op.f("ck_resources_lease_stage_known"), "resources", f"lease_stage IN ({STAGES})")
    op.create_check_constraint(
        op.f("ck_resources_hold_has_a_reason"), "resources", "(hold_reason IS NULL) = (hold_at IS NULL)"
    )
    for name, (columns, where) in INDEXES.items():
        op.create_index(name, "resources", columns, unique=False, postgresql_where=sa.text(where))
    op.execute(_SINCE)
    op.execute(_NOTED)
