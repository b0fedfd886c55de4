"""Durable jobs. A job is deferred in the caller's own transaction, so it exists exactly if the decision does.

A job says only *look at this resource*; `lock` lets one worker at a time look.
"""

from collections.abc import Iterable
from typing import LiteralString
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from quotas import wire

RECONCILE = "reconcile"
SWEEP = "sweep"
CHECK = "check"
WATCH = "watch"
FOLLOW = "follow"
GATEWAY = "gateway"
TUNNELS = "tunnels"
IMPORT = "vpn_import"


def enqueue(session: Session, resources: Iterable[UUID], trace: str | None = None) -> None:
    """Ask a worker to look at `resources` once the caller's transaction commits."""
    ids = list(resources)
    if ids:
        wire.write(session, enqueuing(ids, trace))


def enqueuing(resources: Iterable[UUID], trace: str | None = None) -> wire.Write:
    """Return what asks for it, to go out with other writes."""
    asked = {"task": RECONCILE, "looks": wire.ids(resources), "job_trace": trace}
    return wire.Write(_LOOKS, asked, (_BY_US,), (_WAKE_UP,))


def enqueue_pools(session: Session, pools: Iterable[UUID], trace: str | None = None) -> None:
    """Ask a worker to look at all of each pool at once, once the caller's transaction commits."""
    ids = list(pools)
    if ids:
        wire.write(session, enqueuing_pools(ids, trace))


def enqueuing_pools(pools: Iterable[UUID], trace: str | None = None) -> wire.Write:
    """Return what asks for it, to go out with other writes."""
    asked = {"pool_task": GATEWAY, "pools": wire.ids(pools), "job_trace": trace}
    return wire.Write(_POOL_LOOKS, asked, (_BY_US,), (_WAKE_UP,))


def enqueue_pool(session: Session, pool: UUID, trace: str | None = None) -> int:
    """Ask for it for what is committed already; return the job's id. One that waits already serves as well. Of the
    workers alone: a tenant's transaction sees no job."""
    return _once(session, GATEWAY, f"{GATEWAY} {pool}", pool, trace)


def enqueue_tunnels(session: Session, pool: UUID, after: Iterable[int], trace: str | None = None) -> None:
    """Have the tunnels of a gateway be looked at again after so many seconds each. What waits already is put off to
    then: there is one job for each of these times at most. Of the workers alone."""
    asked = {"task": TUNNELS, "queue": GATEWAY, "lock": f"{TUNNELS} {pool} ", "after": sorted(after)}
    session.execute(_DEFER_TUNNELS, {**asked, "pool": str(pool), "trace": trace})


def take_over(session: Session, pool: UUID) -> bool:
    """Take every job that waits to look at a pool as a whole off the queue, for who looks now; tell whether one did.

    Of a job that ends while another waits for its lock nobody is told: that one would lie until a worker looks by the
    clock.
    """
    return bool(session.execute(_TAKEN_OVER, {"lock": f"{GATEWAY} {pool}"}).all())


def enqueue_check(session: Session, pool: UUID | None = None, trace: str | None = None) -> int:
    """Ask a worker to check one pool, or all, for drift; return the job's id. One that waits already serves as well."""
    return _once(session, CHECK, SWEEP, pool, trace)


def enqueue_watch(session: Session, pool: UUID, trace: str | None = None) -> int:
    """Have what a pool works on by itself be watched; return the job's id. One that waits already serves as well."""
    return _once(session, WATCH, f"{WATCH} {pool}", pool, trace)


def enqueue_follow(session: Session, department: UUID, trace: str | None = None) -> None:
    """Ask a worker to let the quota of a department's projects, and of those below it, follow its limits."""
    asked = {"task": FOLLOW, "department": str(department), "trace": trace}
    wire.run(session, _DEFER_FOLLOW + _WHERE_A_PROJECT_IS, asked)


def enqueue_follow_of_rules(session: Session, department: UUID, trace: str | None = None) -> None:
    """Ask a worker for the same where what the department lets in has changed. Whether it has a project is not asked
    here: a tenant's transaction sees none."""
    wire.run(session, _DEFER_FOLLOW, {"task": FOLLOW, "department": str(department), "trace": trace})


def enqueue_import(session: Session, of: UUID, trace: str | None = None) -> None:
    """Ask a worker to do what an import waits for, once the caller's transaction commits."""
    wire.run(session, _DEFER_IMPORT, {"task": IMPORT, "import_id": str(of), "trace": trace})


def _once(session: Session, task: str, lock: str, pool: UUID | None, trace: str | None) -> int:
    wanted = {"task": task, "pool": str(pool) if pool else None}
    waiting: int | None = session.scalar(_WAITING_FOR_POOL, wanted)
    if waiting is not None:
        return waiting
    queue = SWEEP if task == CHECK else task
    [(made,)] = wire.run(session, _DEFER_FOR_POOL, {**wanted, "queue": queue, "lock": lock, "trace": trace})
    return int(made)


def state_of(session: Session, job: int) -> str | None:
    """Return the state of a job: `todo`, `doing`, `failed`; None once it was done."""
    status: str | None = session.scalar(_STATUS, {"job": job})
    return status


# What procrastinate's own function inserts. To call it takes three times as long, and its Python wrapper waits for the
# answer, which would make every ask wait once more.
_LOOKS: wire.Parts = (
    (
        "looks",
        """
        INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args)
        SELECT %(task)s, %(task)s, resource::text,
               jsonb_build_object('resource_id', resource, 'trace', %(job_trace)s::text)
        FROM unnest(%(looks)s::uuid[]) WITH ORDINALITY asked(resource, place) ORDER BY place
        """,
    ),
)

# Within the transaction the trigger `wake_up_workers` does it, which lets no two of them commit together. It is told so
# before the insert beside it is done, as long as nothing reads what that returns.
_BY_US: LiteralString = "set_config('steppe.wakes_up', 'behind', true)"
# Every worker takes from all queues, and listens to this channel alone.
_WAKE_UP: LiteralString = """
    SELECT pg_notify('procrastinate_any_queue_v1', '{"type": "job_inserted", "job_id": 0}')
"""

_POOL_LOOKS: wire.Parts = (
    (
        "pool_looks",
        """
        INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args)
        SELECT %(pool_task)s::text, %(pool_task)s, %(pool_task)s || ' ' || pool,
               jsonb_build_object('pool_id', pool, 'trace', %(job_trace)s::text)
        FROM unnest(%(pools)s::uuid[]) asked(pool)
        """,
    ),
)

_DEFER_FOR_POOL = """
    SELECT unnest(procrastinate_defer_jobs_v1(ARRAY[
        ROW(%(queue)s::text, %(task)s, 0, %(lock)s::text, NULL,
            jsonb_build_object('pool_id', %(pool)s::text, 'trace', %(trace)s::text),
            NULL)::procrastinate_job_to_defer_v1
    ]))
"""

# No function of procrastinate's puts off what waits already, and one more job with its lock would be an error.
_DEFER_TUNNELS = text("""
    INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, args, scheduled_at)
    SELECT :queue, :task, :lock || seconds,
           jsonb_build_object('pool_id', CAST(:pool AS text), 'trace', CAST(:trace AS text)),
           now() + make_interval(secs => seconds)
    FROM unnest(CAST(:after AS integer[])) wanted(seconds) ORDER BY seconds
    ON CONFLICT (queueing_lock) WHERE status = 'todo' DO UPDATE SET scheduled_at = EXCLUDED.scheduled_at
""")

_DEFER_FOLLOW: LiteralString = """
    SELECT unnest(procrastinate_defer_jobs_v1(ARRAY[
        ROW(%(task)s::text, %(task)s, 0, %(task)s::text || %(department)s, NULL,
            jsonb_build_object('department_id', %(department)s::text, 'trace', %(trace)s::text),
            NULL)::procrastinate_job_to_defer_v1
    ]))
"""

_WHERE_A_PROJECT_IS: LiteralString = """
    WHERE EXISTS (
        SELECT 1 FROM projects p JOIN departments d ON d.id = p.department_id
        WHERE d.lineage @> ARRAY[%(department)s::uuid]
    )
"""

_DEFER_IMPORT = """
    SELECT procrastinate_defer_jobs_v1(ARRAY[
        ROW(%(task)s::text, %(task)s, 0, %(task)s::text || ' ' || %(import_id)s, NULL,
            jsonb_build_object('import_id', %(import_id)s::text, 'trace', %(trace)s::text),
            NULL)::procrastinate_job_to_defer_v1
    ])
"""

_WAITING_FOR_POOL = text("""
    SELECT id FROM procrastinate_jobs
    WHERE task_name = :task AND status = 'todo' AND args ->> 'pool_id' IS NOT DISTINCT FROM :pool
    ORDER BY id LIMIT 1
""")

_TAKEN_OVER = text("DELETE FROM procrastinate_jobs WHERE lock = :lock AND status = 'todo' RETURNING id")

_STATUS = text("SELECT status::text FROM procrastinate_jobs WHERE id = :job AND status <> 'succeeded'")
