"""one wake-up of the workers per statement that defers jobs, not two per job"""

from alembic import op

revision = "0006"
down_revision = "0005"

# The worker takes `job_inserted` as "look again" and reads no more of it, so the jobs of one statement need to be told
# of once. procrastinate's own trigger takes a fifth of the time of an ask for 200 machines.
WAKE_UP = (
    "DROP TRIGGER procrastinate_jobs_notify_queue_job_inserted_v1 ON procrastinate_jobs",
    """
    CREATE FUNCTION wake_up_workers() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        payload text := '{"type": "job_inserted", "job_id": 0}';
    BEGIN
        PERFORM pg_notify('procrastinate_queue_v1#' || queue_name, payload)
        FROM (SELECT DISTINCT queue_name FROM deferred WHERE status = 'todo') queues;
        PERFORM pg_notify('procrastinate_any_queue_v1', payload);
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER wake_up_workers AFTER INSERT ON procrastinate_jobs
        REFERENCING NEW TABLE AS deferred FOR EACH STATEMENT EXECUTE FUNCTION wake_up_workers()
    """,
)


def upgrade() -> None:
    for statement in WAKE_UP:
        op.execute(statement)
