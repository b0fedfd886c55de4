"""Business systems."""

from typing import Any

from flask import Response

from controlplane import lookups
from controlplane.services import systems as service
from web import present
from web.api.nouns import listing, noun
from web.context import actor, own_department, session, version
from web.schemas import RefPath, SystemBody, SystemChange, SystemQuery, WriteQuery

api = noun("systems", "/systems", "Business applications of departments, with MLPS level and contact")


def _plain(body: SystemBody | SystemChange) -> dict[str, Any]:
    values = body.model_dump(exclude_unset=True)
    contact = values.pop("contact", None) or {}
    return values | {f"contact_{key}": value for key, value in contact.items()}


@api.get("")
def index(query: SystemQuery) -> Response:
    """List systems"""
    return present.page(lookups.systems(session(), actor(), listing(query)), present.system)


@api.post("")
def create(body: SystemBody, query: WriteQuery) -> Response:
    """Register a system"""
    values = _plain(body) | {"department": str(own_department(body.department))}
    made = service.create(session(), actor(), service.NewSystem(**values))
    return present.created(present.system(made), "/systems", made)


@api.get("/<ref>")
def show(path: RefPath) -> Response:
    """Show a system"""
    found = lookups.system_for(session(), actor(), path.ref, "system.read")
    return present.answer(present.system(found), version=found.version)


@api.patch("/<ref>")
def update(path: RefPath, body: SystemChange, query: WriteQuery) -> Response:
    """Change a system"""
    changed = service.update(session(), actor(), path.ref, _plain(body), version())
    return present.answer(present.system(changed), version=changed.version)


@api.delete("/<ref>")
def delete(path: RefPath, query: WriteQuery) -> Response:
    """Close a system that nothing serves any more"""
    service.delete(session(), actor(), path.ref)
    return present.answer({})
