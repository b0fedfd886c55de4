"""Pools and their capacity."""

from typing import Any

from flask import Response

from controlplane import lookups
from controlplane.pool_secrets import sealed
from controlplane.reports import pool_catalogue
from controlplane.reports import quota as report
from controlplane.services import pools as service
from web import present
from web.api.nouns import listing, noun
from web.context import actor, entrance, session, version
from web.schemas import CapacityBody, PoolBody, PoolChange, PoolQuery, RefPath, WriteQuery
from web.shapes import PoolCatalogue

api = noun("pools", "/pools", "What resources are allocated from, and how much of it is left")


def _capacity(given: dict[str, CapacityBody]) -> dict[str, service.Capacity]:
    return {name: service.Capacity(c.total, c.reserved, c.ratio) for name, c in given.items()}


@api.get("")
def index(query: PoolQuery) -> Response:
    """List pools"""
    return present.page(lookups.pools(session(), actor(), listing(query)), present.pool)


@api.post("")
def create(body: PoolBody, query: WriteQuery) -> Response:
    """Create a pool"""
    values: dict[str, Any] = body.model_dump(exclude={"capacity"})
    values["connection"] = sealed(entrance().keys, body.connection)
    made = service.create(session(), actor(), service.NewPool(**values, capacity=_capacity(body.capacity)))
    return present.created(present.pool(made), "/pools", made)


@api.get("/<ref>")
def show(path: RefPath) -> Response:
    """Show a pool with what it has left"""
    found = lookups.pool_for(session(), actor(), path.ref)
    balances = report.of_pools(session(), actor(), [found.id]).get(found.id, ())
    body = {**present.pool(found), "classes": [present.balance(b) for b in balances]}
    return present.answer(body, version=found.version)


@api.get("/<ref>/catalogue", responses={200: PoolCatalogue})
def catalogue(path: RefPath) -> Response:
    """Show what the catalogue's images and sizes are in a pool, as the last sweep found it"""
    return present.answer(present.pool_catalogue(pool_catalogue.of_pool(session(), actor(), path.ref)))


@api.patch("/<ref>")
def update(path: RefPath, body: PoolChange, query: WriteQuery) -> Response:
    """Change a pool, or what it has"""
    values = body.model_dump(exclude_unset=True, exclude={"capacity"})
    if body.connection is not None:
        values["connection"] = sealed(entrance().keys, body.connection)
    changed = service.update(session(), actor(), path.ref, values, version())
    if body.capacity:
        changed = service.set_capacity(session(), actor(), changed, _capacity(body.capacity))
    return present.answer(present.pool(changed), version=changed.version)


@api.delete("/<ref>")
def delete(path: RefPath, query: WriteQuery) -> Response:
    """Remove a pool that never held anything"""
    service.delete(session(), actor(), path.ref)
    return present.answer({})
