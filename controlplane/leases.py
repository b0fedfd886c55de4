"""Until when a resource is granted: what a direct order and a granted request have in common.

An extension may come at any time before a driver began to remove what the lease was for: it is put back on its first
stage, kept where it was to go, and started again where the end of its lease had stopped it.
"""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from controlplane import audit, changes, lease_stages, notices
from controlplane.errors import Invalid, NotNow
from controlplane.models import Resource
from controlplane.notices import Notice


def extend(session: Session, resource: Resource, until: datetime, *, tell: bool = True) -> list[audit.Act]:
    """Grant a resource that the caller has locked until `until`, which must be later than now; return what to say.

    Raises Invalid, NotNow where it was ordered to go, TooLate where its removal has begun. The caller has a worker look
    at it. Without `tell`, its department is not told: of one of thousands it need not be.
    """
    before = resource.lease_until
    if before is not None and until <= before:
        raise Invalid(field="until", reason="must be later than the present end of the lease")
    return grant(session, resource, until, tell=tell)


def grant(session: Session, resource: Resource, until: datetime | None, *, tell: bool = True) -> list[audit.Act]:
    """Set the end of a lease, None for none, and begin its way anew; else as `extend`."""
    if resource.desired == "absent":
        if resource.lease_stage != "deleting":
            raise NotNow(name=resource.name, state="to be deleted", verb="extend", when="kept")
        changes.want_kept(resource)
    said: dict[str, Any] = {
        "before": _plain(resource.lease_until),
        "after": _plain(until),
        "stage": resource.lease_stage,
    }
    if resource.lease_stopped:
        changes.want_running(session, resource)
        said["started"] = True
    resource.lease_until = until
    resource.lease_stage = lease_stages.move(resource.lease_stage, "extend")
    resource.lease_stage_at = resource.lease_warned = None
    resource.lease_stopped = False
    resource.unused_asked_at = resource.unused_answer_by = None
    resource.version += 1
    if tell:
        _tell(session, resource, until)
    return [changes.said(resource, "extend", said)]


def _tell(session: Session, resource: Resource, until: datetime | None) -> None:
    told = {"name": resource.name, "until": _plain(until)}
    to = {"role": "department_manager", "departments": [resource.department_id], "resource": resource.id}
    notices.tell(session, [Notice("lease.extended", told, **to)])  # type: ignore[arg-type]


def _plain(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
