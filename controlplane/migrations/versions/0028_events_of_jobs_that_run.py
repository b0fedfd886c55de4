"""no event for a job that was only deferred"""

from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Keep events from the start of a job on: those that ask whether one is stalled or over read no earlier one, and
    what deferred it is told by the audit trail."""
    op.execute("DROP TRIGGER procrastinate_trigger_status_events_insert_v1 ON procrastinate_jobs")
