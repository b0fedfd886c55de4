"""wake-ups that are sent behind the commit, not within the transaction"""

from alembic import op

revision = "0024"
down_revision = "0023"

# A transaction that notifies holds a lock of the whole database while it commits, so that all who ask write their logs
# to disk one after the other. Whoever sends the wake-up behind its commit says so, and is not asked to within it.
WAKE_UP = """
    CREATE OR REPLACE FUNCTION wake_up_workers() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        payload text := '{"type": "job_inserted", "job_id": 0}';
    BEGIN
        IF current_setting('steppe.wakes_up', true) = 'behind' THEN
            RETURN NULL;
        END IF;
        PERFORM pg_notify('procrastinate_queue_v1#' || queue_name, payload)
        FROM (SELECT DISTINCT queue_name FROM deferred WHERE status = 'todo') queues;
        PERFORM pg_notify('procrastinate_any_queue_v1', payload);
        RETURN NULL;
    END $$
"""


def upgrade() -> None:
    """Give the trigger's function its exception."""
    op.execute(WAKE_UP)
