"""How VPN accounts, groups, tunnels and logins are answered."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from controlplane import persons
from controlplane.secrets import Keys
from web.present import Record, fields, recorded, stamp, standing


def account(r: Record, aside: Record, keys: Keys | None) -> dict[str, Any]:
    """An account; `aside` is what it has beside its resource, None once it is gone. `keys` of those who may know whose
    it is."""
    person = persons.opened(keys, aside.person).model_dump(exclude_none=True) if keys and aside else None
    return {
        **recorded(r),
        "kind": r.kind,
        "username": r.name,
        "person": person,
        "department": r.department.code,
        "system": r.system.code if r.system else None,
        "gateway": r.pool.code,
        "max_sessions": r.wanted["max_sessions"],
        "lease_until": stamp(r.lease_until),
        "issued_at": stamp(aside.issued_at) if aside else None,
        "last_login_at": stamp(aside.last_login_at) if aside else None,
        **standing(r),
    }


def accounts(found: Mapping[UUID, Record], keys: Keys | None) -> Any:
    """Return what shapes accounts of which `found` has the other half."""
    return lambda r: account(r, found.get(r.id), keys)


def group(g: Record) -> dict[str, Any]:
    limits = fields(g, "session_minutes", "idle_minutes", "down_kbit", "up_kbit", "username_rule", "second_factor")
    return {
        **recorded(g),
        **fields(g, "name", "cidr", "networks"),
        "gateway": g.pool.code,
        "department": g.department.code,
        "system": g.system.code if g.system else None,
        **limits,
    }


def session(s: Record) -> dict[str, Any]:
    return {
        **fields(s, "id", "username", "gateway", "seconds", "bytes_in", "bytes_out", "cause"),
        **_whose(s),
        "address": str(s.address) if s.address else None,
        "started": stamp(s.started),
        "updated": stamp(s.updated),
        "stopped": stamp(s.stopped),
        "end_ordered_at": stamp(s.end_ordered_at),
    }


def login(one: Record) -> dict[str, Any]:
    return {**fields(one, "id", "username", "gateway", "accepted", "reason"), **_whose(one), "at": stamp(one.at)}


def _whose(thing: Record) -> dict[str, Any]:
    return {
        "account": str(thing.resource_id) if thing.resource_id else None,
        "department": str(thing.department_id) if thing.department_id else None,
        "client": str(thing.client) if thing.client else None,
    }
