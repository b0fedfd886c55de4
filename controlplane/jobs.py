"""Durable jobs. A job is deferred in the caller's own transaction, so it exists exactly if the decision does.

A job says only *look at this resource*; `lock` lets one worker at a time look.
"""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy.orm import Session

from quotas import wire

RECONCILE = "reconcile"
SWEEP = "sweep"


def enqueue(session: Session, resources: Iterable[UUID], trace: str | None = None) -> None:
    """Ask a worker to look at `resources` once the caller's transaction commits."""
    ids = list(resources)
    if ids:
        wire.write(session, enqueuing(ids, trace))


def enqueuing(resources: Iterable[UUID], trace: str | None = None) -> wire.Write:
    """Return what asks for it, to go out with other writes."""
    return wire.Write((), {"task": RECONCILE, "looks": wire.ids(resources), "job_trace": trace}, (_DEFER,))


# procrastinate's own function, whose name carries its version; its Python wrapper waits for the answer, which would
# make every ask wait once more.
_DEFER = """
    procrastinate_defer_jobs_v1(ARRAY(
        SELECT ROW(%(task)s, %(task)s, 0, resource, NULL,
                   jsonb_build_object('resource_id', resource, 'trace', %(job_trace)s::text),
                   NULL)::procrastinate_job_to_defer_v1
        FROM unnest(%(looks)s::text[]) WITH ORDINALITY asked(resource, place) ORDER BY place
    ))
"""
