"""How records look outside. What was sent comes back as it was sent; what Steppe worked out has names of its own."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from flask import Response, request

from web import json_provider
from web.context import etag

Record = Any
"""A row as lookups return it; this room reads its attributes and knows no models."""


def stamp(moment: datetime | None) -> str | None:
    """Return an instant in UTC, RFC 3339."""
    return moment.isoformat().replace("+00:00", "Z") if moment else None


def named(thing: Record | None) -> dict[str, Any] | None:
    """Return a short pointer to a thing that has a code."""
    return {"id": str(thing.id), "code": thing.code, "name": thing.name} if thing else None


def site(s: Record) -> dict[str, Any]:
    return {
        **recorded(s),
        "code": s.code,
        "name": s.name,
        "name_en": s.name_en,
        "level": s.level,
        "parent": s.parent.code if s.parent else None,
    }


def department(d: Record) -> dict[str, Any]:
    return {
        **recorded(d),
        "code": d.code,
        "name": d.name,
        "name_en": d.name_en,
        "site": d.site.code,
        "parent": d.parent.code if d.parent else None,
    }


def system(s: Record) -> dict[str, Any]:
    return {
        **recorded(s),
        "code": s.code,
        "name": s.name,
        "name_en": s.name_en,
        "department": s.department.code,
        "mlps_level": s.mlps_level,
        "contact": {"name": s.contact_name, "phone": s.contact_phone, "email": s.contact_email},
    }


def ingress_rule(r: Record) -> dict[str, Any]:
    ports = {"protocol": r.protocol, "ports": r.says.ports}
    return {**recorded(r), "department": r.department.code, **ports, **fields(r, "source", "note")}


def flavor(f: Record) -> dict[str, Any]:
    return {**recorded(f), **fields(f, "code", "name", "vcpu", "memory_mib", "disk_gib", "offered")}


def image(i: Record) -> dict[str, Any]:
    return {**recorded(i), **fields(i, "code", "name", "os", "min_disk_gib", "source", "sha256", "offered")}


def subnet(s: Record) -> dict[str, Any]:
    names = ("code", "name", "cidr", "gateway", "dns", "network", "reserved", "excluded", "floating")
    owner = s.department.code if s.department else None
    return {**recorded(s), **fields(s, *names), "site": s.site.code, "department": owner}


def pool(p: Record) -> dict[str, Any]:
    """A pool without its connection: that may hold what only the driver should know."""
    capacity = {
        c.resource_class: {"total": c.total, "reserved": c.reserved, "ratio": float(c.ratio)} for c in p.capacity
    }
    said = fields(p, "code", "name", "kind", "mlps_level", "driver", "accepting", "drift_policy", "capacity_follows")
    return {**recorded(p), **said, "site": p.site.code, "capacity": capacity}


def pool_catalogue(r: Record) -> dict[str, Any]:
    """How the catalogue and a pool match."""
    return {
        "pool": r.pool.code,
        "checked_at": stamp(r.checked_at),
        "unusable": r.unusable,
        "images": [
            {
                **fields(line, "name", "source"),
                **fields(line.match, "code", "trouble", "amount"),
                "matched_by": line.match.by,
                "found": line.match.id,
                "found_name": line.match.name,
            }
            for line in r.images
        ],
        "flavors": [
            {"code": f.match.code, "name": f.name, "found": f.match.id, "found_name": f.match.name} for f in r.flavors
        ],
        "others": {"names": list(r.others), "count": r.others_count},
    }


def vm(v: Record, *, with_pool: bool) -> dict[str, Any]:
    """A VM: what was asked, then what it has. `with_pool` for those who may know where it runs."""
    held = [(c.subnet.code, str(c.address)) for c in v.claims if not c.subnet.floating]
    floating = {str(c.address): c.subnet.code for c in v.claims if c.subnet.floating}
    size = _size(v.wanted)
    return {
        **v.spec,
        **_granted(v),
        **recorded(v),
        "kind": v.kind,
        "department": v.department.code,
        "size": size,
        "addresses": [{"subnet": code, "address": address} for code, address in held],
        "floating_address": _floating(v.wanted, floating),
        "snapshots": snapshots(v.wanted),
        **standing(v),
        "underway_since": stamp(v.underway_since),
        **({"pool": v.pool.code} if with_pool else {}),
    }


def _size(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What a VM has. A record that is older than data disks says nothing of them."""
    size = {name: wanted[name] for name in ("vcpu", "memory_mib", "disk_gib")}
    return {**size, "data_disks": wanted.get("data_disks", [])}


def _floating(wanted: Mapping[str, Any], codes: Mapping[str, str]) -> dict[str, str] | None:
    """The address by which others reach a VM, as it is wanted: one that is being taken away is none any more."""
    address = (wanted.get("floating") or {}).get("address", "")
    # One that has just gone may have given it back between the reading of the one and of the other.
    return {"subnet": codes[address], "address": address} if address in codes else None


def snapshots(wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The snapshots of a VM, the oldest first. A record that is older than snapshots says nothing of them."""
    return [
        {
            **{name: kept[name] for name in ("name", "gib", "taken")},
            "restored": kept["number"] == wanted.get("restored"),
        }
        for kept in wanted.get("snapshots", [])
    ]


def standing(r: Record) -> dict[str, Any]:
    """How far anything that was allocated is what it should be."""
    return {
        **fields(r, "state", "generation", "observed_generation"),
        "request": str(r.request_id),
        "lease": lease(r),
        "fault": {"code": r.fault_code, "detail": r.fault_detail} if r.fault_code else None,
        "waiting": {"reason": r.waiting_reason, "next_try_at": stamp(r.next_try_at)} if r.waiting_reason else None,
    }


def leased(r: Record) -> dict[str, Any]:
    """Anything that has a lease."""
    return {
        **fields(r, "version", "kind", "name", "state"),
        "id": str(r.id),
        "department": r.department.code,
        "system": r.system.code if r.system else None,
        "state_since": stamp(r.state_since),
        "lease": lease(r),
    }


def lease(r: Record) -> dict[str, Any]:
    hold = {"reason": r.hold_reason, "by": r.hold_by, "at": stamp(r.hold_at)} if r.hold_at else None
    more = {"hold": hold, "answer_by": stamp(r.unused_answer_by), "kept_until": stamp(r.kept_until)}
    at = {"contract_end": stamp(r.contract_end), "stage_at": stamp(r.lease_stage_at)}
    return {**_lease(r.lease_until, r.lease_stage), **at, **more}


def _lease(until: datetime | None, stage: str) -> dict[str, Any]:
    """A lease to which nothing has happened yet."""
    nothing = dict.fromkeys(("contract_end", "stage_at", "hold", "answer_by", "kept_until"))
    return {"until": stamp(until), "stage": stage, **nothing}


def _granted(r: Record) -> dict[str, Any]:
    """The end of a lease where it is no more the one that was asked for; else it stays as it was sent."""
    asked = r.spec.get("lease_until")
    same = (datetime.fromisoformat(asked) if asked else None) == r.lease_until
    return {} if same else {"lease_until": stamp(r.lease_until)}


def allocated(submitted: Record, made: Record, *, with_pool: bool) -> dict[str, Any]:
    """A VM that was allocated a moment ago: word for word what reading it now would say."""
    prepared, wanted = made.prepared, made.wanted
    size = _size(wanted)
    codes = sorted((address, prepared.subnets[subnet]) for subnet, address in made.addresses.items())
    floating = (wanted["floating"] or {}).get("address")
    at = stamp(submitted.at)
    return {
        **prepared.spec,
        "id": str(made.id),
        "created_at": at,
        "updated_at": at,
        "version": made.version,
        "kind": submitted.kind,
        "department": submitted.department.code,
        "state": "building",
        "size": size,
        "addresses": [{"subnet": code, "address": address} for address, code in codes if address != floating],
        "floating_address": _floating(wanted, dict(codes)) if floating else None,
        "snapshots": [],
        "generation": wanted["generation"],
        "observed_generation": 0,
        "request": str(submitted.id),
        "lease": _lease(prepared.lease_until, "granted"),
        "fault": None,
        "underway_since": None,
        "waiting": None,
        **({"pool": made.pool.code} if with_pool else {}),
    }


def asked(r: Record, progress: Mapping[str, int]) -> dict[str, Any]:
    """A request as a list shows it, with how many of its resources are in each state."""
    return {
        **recorded(r),
        **fields(r, "number", "kind", "state", "title", "outcome"),
        "department": r.department.code,
        "count": len(r.items),
        "asked_by": r.asked_by_name,
        "submitted_at": stamp(r.submitted_at),
        "decided_at": stamp(r.decided_at),
        "done_at": stamp(r.done_at),
        "expires_at": stamp(r.expires_at),
        "progress": dict(progress),
    }


def request_in_full(r: Record, progress: Mapping[str, int]) -> dict[str, Any]:
    """A request with what it asks for and its approvals."""
    items = [_without_person(item) for item in r.items]
    return {**asked(r, progress), "reason": r.reason, "items": items, "steps": [approval(s) for s in r.steps]}


def _without_person(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """An item as it is read: who it is for stays sealed where it is kept."""
    spec = item.get("spec")
    if not isinstance(spec, Mapping) or "person" not in spec:
        return item
    return {**item, "spec": {name: value for name, value in spec.items() if name != "person"}}


def approval(s: Record) -> dict[str, Any]:
    """An approval of a request."""
    return {
        **fields(s, "round", "stage", "role", "rule", "state", "comment"),
        "id": str(s.id),
        "opened_at": stamp(s.opened_at),
        "due_at": stamp(s.due_at),
        "handed_over": s.handed_to is not None,
        "decided_by": s.decided_by_name,
        "decided_at": stamp(s.decided_at),
    }


def waiting(s: Record) -> dict[str, Any]:
    """An approval that waits, with the request that it is of."""
    return {**approval(s), "request": asked(s.request, {})}


def remark(c: Record) -> dict[str, Any]:
    """What somebody said of a request."""
    return {"id": str(c.id), "at": stamp(c.at), "author": c.author_name, "body": c.body}


def impact(i: Record, *, with_pool: bool) -> dict[str, Any]:
    """What granting a request would do now."""
    made = [
        {
            "name": one.prepared.name,
            "demand": dict(one.prepared.demand),
            **({"pool": one.pool.code} if with_pool else {}),
        }
        for one in i.made
    ]
    problem = i.problem
    return {
        "fits": problem is None,
        "problem": {"code": problem.code, "detail": problem.message, **problem.numbers()} if problem else None,
        "made": made,
        "quota_before": [balance(b) for b in i.before],
        "quota_after": [balance(b) for b in i.after],
    }


def rule(r: Record) -> dict[str, Any]:
    """A rule that says who has to approve what."""
    return {**recorded(r), **fields(r, "code", "name", "name_en", "enabled", "applies", "steps")}


def drift(d: Record) -> dict[str, Any]:
    """A finding: `resource` is the record that it is about, None for a machine that nobody recorded."""
    return {
        **fields(d, "version", "kind", "name", "differences", "generation", "outcome"),
        "id": str(d.id),
        "machine": str(d.external_id),
        "pool": d.pool.code,
        "resource": str(d.resource_id) if d.resource_id else None,
        "department": d.resource.department.code if d.resource else None,
        "first_seen": stamp(d.first_seen),
        "last_seen": stamp(d.last_seen),
        "closed_at": stamp(d.closed_at),
        "decision": {"what": d.decision, "by": d.decided_by_name, "at": stamp(d.decided_at)} if d.decision else None,
    }


def check(c: Record) -> dict[str, Any]:
    return {"pool": c.pool.code, "at": stamp(c.at), **fields(c, "machines", "trouble")}


def token(t: Record) -> dict[str, Any]:
    return {
        **recorded(t),
        "name": t.name,
        "user": t.user.username,
        "department": t.department.code if t.department else None,
        "actions": t.actions,
        "expires_at": stamp(t.expires_at),
        "last_used_at": stamp(t.last_used_at),
        "revoked_at": stamp(t.revoked_at),
    }


def user(u: Record) -> dict[str, Any]:
    """An account, without anything that would help to come in under it."""
    return {
        **recorded(u),
        **fields(
            u, "username", "name", "email", "role", "service", "networks", "must_change_password", "disabled_reason"
        ),
        "department": u.department.code if u.department else None,
        "identity": identity(u),
        "second_factor": u.totp_enrolled_at is not None,
        "password_changed_at": stamp(u.password_changed_at),
        "last_sign_in_at": stamp(u.last_sign_in_at),
        "disabled_at": stamp(u.disabled_at),
    }


def identity(u: Record) -> dict[str, str | None] | None:
    """Who comes in under an account through an identity provider."""
    if u.identity_issuer is None:
        return None
    return {"issuer": u.identity_issuer, "subject": u.identity_subject, "login": u.identity_login}


def sign_in(s: Record) -> dict[str, Any]:
    """A session at the console."""
    return {
        **fields(s, "address", "agent"),
        "id": str(s.id),
        "user": s.user.username,
        "signed_in_at": stamp(s.created_at),
        "last_seen_at": stamp(s.last_seen_at),
        "second_factor": s.second_factor_at is not None,
    }


def event(e: Record) -> dict[str, Any]:
    said = fields(e, "action", "outcome", "target_kind", "target_name", "details")
    who = {"name": e.actor_name, "role": e.actor_role}
    return {"at": stamp(e.at), "actor": who, **said, "request_id": e.trace}


def audit_event(e: Record) -> dict[str, Any]:
    """An event with all that tells whose it is: for who reads the trail as such."""
    who = {"id": str(e.actor_id), "name": e.actor_name, "role": e.actor_role}
    department = str(e.department_id) if e.department_id else None
    return {"id": e.id, **event(e), "actor": who, "target_id": str(e.target_id), "department": department}


def balance(b: Record) -> dict[str, Any]:
    return {"class": b.resource_class, **fields(b, "limit", "used", "held", "left")}


def answer(body: Mapping[str, Any], status: int = 200, *, version: int | None = None) -> Response:
    """Return a JSON answer, with the ETag of a version where there is one."""
    made = json_provider.answer(body, status)
    if version is not None:
        made.headers["ETag"] = etag(version)
    return made


def created(body: Mapping[str, Any], collection: str, thing: Record, status: int = 201) -> Response:
    """Return the answer to a create: `Location` says where in its collection, such as `/vms`, the thing is read."""
    made = answer(body, status, version=thing.version)
    made.headers["Location"] = f"{request.script_root}/api/v1{collection}/{thing.id}"
    return made


def page(found: Record, shape: Callable[[Record], Mapping[str, Any]]) -> Response:
    """Return one page of a list with the links of RFC 8288."""
    return _linked(found, [shape(item) for item in found.items])


def _linked(found: Record, items: Iterable[Mapping[str, Any]]) -> Response:
    made = json_provider.answer({"items": list(items), "next": found.next, "previous": found.previous})
    cursors = {"first": None, "next": found.next, "prev": found.previous}
    links = [f'<{_here(cursor)}>; rel="{rel}"' for rel, cursor in cursors.items() if cursor or rel == "first"]
    made.headers["Link"] = ", ".join(links)
    return made


def _here(cursor: str | None) -> str:
    args = [(k, v) for k, v in request.args.items(multi=True) if k != "cursor"]
    if cursor:
        args.append(("cursor", cursor))
    return request.path + ("?" + urlencode(args) if args else "")


def recorded(thing: Record) -> dict[str, Any]:
    """What every record has."""
    return {
        "id": str(thing.id),
        "created_at": stamp(thing.created_at),
        "updated_at": stamp(thing.updated_at),
        "version": thing.version,
    }


def fields(thing: Record, *names: str) -> dict[str, Any]:
    """Some of a record's columns, under their own names."""
    return {name: getattr(thing, name) for name in names}
