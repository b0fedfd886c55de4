"""Until when a resource is granted: what a direct order and a granted request have in common."""

from datetime import datetime

from sqlalchemy.orm import Session

from controlplane import audit, changes
from controlplane.errors import Invalid, NotNow
from controlplane.models import Resource


def extend(_session: Session, resource: Resource, until: datetime) -> list[audit.Act]:
    """Grant a resource that the caller has locked until `until`; return what to say of it. Raises Invalid, NotNow."""
    if resource.desired == "absent":
        raise NotNow(name=resource.name, state="to be deleted", verb="extend", when="kept")
    before = resource.lease_until
    if before is not None and until <= before:
        raise Invalid(field="until", reason="must be later than the present end of the lease")
    resource.lease_until = until
    resource.version += 1
    said = {"before": before.isoformat() if before else None, "after": until.isoformat()}
    return [changes.said(resource, "extend", said)]
