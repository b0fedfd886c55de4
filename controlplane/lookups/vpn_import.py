"""Reads of imports of VPN accounts. A file holds persons, and what is wrong with one may quote them."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, undefer

from controlplane.actor import Actor
from controlplane.errors import NotFound
from controlplane.lookups.reading import Filter, filtered, ids, in_scope, ordered_by, uuid_of
from controlplane.models import Department, VpnImport
from controlplane.paging import Listing, Page, paginate
from controlplane.policy import authorize


def vpn_import_for(
    session: Session, actor: Actor, ref: str | UUID, action: str = "vpn.person", *, lock: bool = False
) -> VpnImport:
    """Return an import by id, with its problems and without its file. Raises Forbidden, NotFound."""
    authorize(actor, action)
    statement = in_scope(select(VpnImport), VpnImport.department_id, actor)
    statement = statement.where(VpnImport.id == uuid_of(ref, "import"))
    parts = (joinedload(VpnImport.department), undefer(VpnImport.problems))
    found: VpnImport | None = session.scalar(
        statement.with_for_update(of=VpnImport).execution_options(populate_existing=True)
        if lock
        else statement.options(*parts)
    )
    if found is None:
        raise NotFound(noun="import", name=str(ref))
    return found


def vpn_imports(session: Session, actor: Actor, listing: Listing) -> Page[VpnImport]:
    """List imports, newest first; filters: department, state."""
    authorize(actor, "vpn.person")
    statement = in_scope(select(VpnImport), VpnImport.department_id, actor).options(joinedload(VpnImport.department))
    statement = filtered(session, statement, listing.filters, _FILTERS)
    return paginate(session, statement, ordered_by(VpnImport, "created_at", default="-created_at"), listing)


_FILTERS: dict[str, Filter] = {
    "department": lambda v: VpnImport.department_id.in_(ids(Department, v)),
    "state": lambda v: VpnImport.state == v,
}
