"""How long decisions take: the median, and what nine of ten stay within, by kind, department or role.

What counts is the time that a request lay with those who decide. It starts at the first submission, stands still while
the request was returned and lay with the asker, and goes on when it is submitted again. Requests that nobody had to
approve are counted by themselves: no time of theirs was anybody's.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from sqlalchemy import text
from sqlalchemy.orm import Session

from controlplane.actor import Actor
from controlplane.errors import Invalid
from controlplane.policy import authorize

By = Literal["kind", "department", "role"]
BY: tuple[By, ...] = get_args(By)


@dataclass(frozen=True, slots=True)
class DecisionTimes:
    """Times of one kind, department or role, in hours; None where nobody decided. `code` names it, `name` where it has
    one. By role what is counted are approvals, else requests; `automatic` are requests that nobody had to approve."""

    code: str
    name: str
    decided: int
    median_hours: float | None
    p90_hours: float | None
    automatic: int


def decisions(session: Session, actor: Actor, start: datetime, end: datetime, by: str) -> list[DecisionTimes]:
    """Return the times of requests decided from `start` to before `end`, by code. Raises Forbidden, Invalid."""
    authorize(actor, "centre.read")
    if by not in BY:
        raise Invalid(field="by", reason=f"must be one of {', '.join(BY)}")
    if start >= end:
        raise Invalid(field="to", reason="must be later than from")
    return [DecisionTimes(*row) for row in session.execute(_TIMES, {"by": by, "start": start, "end": end})]


_TIMES = text("""
    WITH times AS (
        SELECT t.kind AS code, '' AS name, t.hours, t.by_people
        FROM request_times t
        WHERE CAST(:by AS text) = 'kind' AND t.decided_at >= :start AND t.decided_at < :end
        UNION ALL
        SELECT d.code, d.name, t.hours, t.by_people
        FROM request_times t JOIN departments d ON d.id = t.department_id
        WHERE CAST(:by AS text) = 'department' AND t.decided_at >= :start AND t.decided_at < :end
        UNION ALL
        SELECT s.role, '',
               extract(epoch FROM s.decided_at - (s.due_at - make_interval(hours => s.hours)))::float8 / 3600, true
        FROM request_times t JOIN request_steps s ON s.request_id = t.id
        WHERE CAST(:by AS text) = 'role' AND t.decided_at >= :start AND t.decided_at < :end
          AND s.decided_at IS NOT NULL
    )
    SELECT code, name, count(*) FILTER (WHERE by_people),
           percentile_cont(0.5) WITHIN GROUP (ORDER BY hours) FILTER (WHERE by_people),
           percentile_cont(0.9) WITHIN GROUP (ORDER BY hours) FILTER (WHERE by_people),
           count(*) FILTER (WHERE NOT by_people)
    FROM times GROUP BY code, name ORDER BY code
""")
