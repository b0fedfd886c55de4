"""triggers that run only where they have something to do, and jobs that asks write themselves"""

from alembic import op

revision = "0029"
down_revision = "0028"

# A trigger whose condition fails costs a comparison; one that is called and finds nothing to do, a call of PL/pgSQL:
# eight for the accounts of one ask, and one for its job.
# The functions refuse whatever they are called for: what is to be refused is said by the triggers alone.
ADMIT = (
    "DROP TRIGGER ledger_admit ON ledger_accounts",
    """
    CREATE OR REPLACE FUNCTION ledger_admit() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'ledger account % would pass its limit', NEW.id USING ERRCODE = 'check_violation';
    END $$
    """,
    """
    CREATE TRIGGER ledger_admit BEFORE UPDATE OF used, held ON ledger_accounts FOR EACH ROW
        WHEN (NEW.used + NEW.held > OLD.used + OLD.held AND NEW.used + NEW.held > NEW."limit")
        EXECUTE FUNCTION ledger_admit()
    """,
    """
    CREATE FUNCTION ledger_starts_empty() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'a ledger account starts empty' USING ERRCODE = 'check_violation';
    END $$
    """,
    """
    CREATE TRIGGER ledger_starts_empty BEFORE INSERT ON ledger_accounts FOR EACH ROW
        WHEN (NEW.used <> 0 OR NEW.held <> 0) EXECUTE FUNCTION ledger_starts_empty()
    """,
)
# All workers listen to the one channel, so it needs not be known of which queues the jobs were.
WAKE_UP = (
    "DROP TRIGGER wake_up_workers ON procrastinate_jobs",
    """
    CREATE OR REPLACE FUNCTION wake_up_workers() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_notify('procrastinate_any_queue_v1', '{"type": "job_inserted", "job_id": 0}');
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER wake_up_workers AFTER INSERT ON procrastinate_jobs FOR EACH STATEMENT
        WHEN (current_setting('steppe.wakes_up', true) IS DISTINCT FROM 'behind')
        EXECUTE FUNCTION wake_up_workers()
    """,
)
# A tenant's transaction may still neither read nor change a job; by this grant it says nothing of when it runs.
DEFER = ("GRANT INSERT (queue_name, task_name, lock, args) ON procrastinate_jobs TO steppe_app",)


def upgrade() -> None:
    """Give the triggers their conditions, and tenants the right to defer a job without a function's help."""
    for statement in (*ADMIT, *WAKE_UP, *DEFER):
        op.execute(statement)
