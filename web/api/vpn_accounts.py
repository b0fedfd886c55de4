"""VPN accounts."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flask import Response, url_for

from controlplane import lookups, vpn_rows
from controlplane.policy import allows
from controlplane.secrets import Keys
from controlplane.services import leases, requests, resources, vpn_credentials, vpn_moves, vpn_orders
from web import present, vpn_people, vpn_present
from web.api.nouns import listing, noun
from web.context import actor, entrance, own_department, session, version
from web.files import saved
from web.lease_schemas import HoldBody, LeaseBody
from web.lease_shapes import Leased
from web.schemas import IdPath, WriteQuery
from web.vpn_files import credentials_file
from web.vpn_schemas import (
    CredentialsBody,
    VpnAccountBody,
    VpnAccountQuery,
    VpnAccountsBody,
    VpnAccountSize,
    VpnMoveBody,
    VpnOrderBody,
    VpnOrderPath,
)
from web.vpn_shapes import VpnAccount, VpnAccountPage, VpnAskedFor, VpnAskedForMany, VpnOrdered

api = noun("vpn_accounts", "/vpn-accounts", "Accounts by which people of departments come in through a VPN gateway")
KIND = "vpn_account"
_FILE = {
    "description": "The file; a dry run is answered as JSON",
    "content": {
        "application/zip": {"schema": {"type": "string", "format": "binary"}},
        "application/json": {"schema": {"type": "object"}},
    },
}


@api.get("", responses={200: VpnAccountPage})
def index(query: VpnAccountQuery) -> Response:
    """List accounts; people are found by their whole name or number"""
    found = lookups.vpn_accounts(session(), actor(), vpn_people.hidden(listing(query), entrance().keys))
    asides = lookups.vpn_accounts_of(session(), actor(), [r.id for r in found.items])
    return present.page(found, vpn_present.accounts(asides, _keys()))


@api.post("", responses={202: VpnAskedFor})
def create(body: VpnAccountBody, query: WriteQuery) -> Response:
    """Ask for one account"""
    row = vpn_rows.VpnAccountRow.model_validate(body.model_dump(exclude={"department"}, exclude_unset=True))
    submitted = _submit(body.department, [row])
    [made] = submitted.resources
    shown = {"id": str(made.id), "username": made.prepared.name, "state": "building", "request": str(submitted.id)}
    return present.created(shown, "/vpn-accounts", made, 202)


@api.post("/bulk", responses={202: VpnAskedForMany})
def create_many(body: VpnAccountsBody, query: WriteQuery) -> Response:
    """Ask for many accounts, all or none"""
    submitted = _submit(body.department, body.accounts)
    rows = [{"id": str(one.id), "username": one.prepared.name} for one in submitted.resources]
    made = present.answer({"request": str(submitted.id), "count": len(rows), "accounts": rows}, 202)
    made.headers["Location"] = url_for("requests.show", ref=submitted.id)
    return made


@api.post("/bulk/<verb>", responses={202: VpnOrdered})
def order_many(path: VpnOrderPath, body: VpnOrderBody, query: WriteQuery) -> Response:
    """Suspend, resume, revoke, extend or confirm many accounts, all or none"""
    which = vpn_orders.Which(own_department(body.department), body.ids, body.state, body.system, body.unused_since)
    done = vpn_orders.act(session(), actor(), vpn_orders.Order(path.verb, which, body.until))
    return _ordered(done)


@api.post("/bulk/move", responses={202: VpnOrdered})
def move_many(body: VpnMoveBody, query: WriteQuery) -> Response:
    """Move many accounts to another gateway, or to another group of the department, all or none

    They come in there, and no longer where they were; passwords stay good.
    """
    which = vpn_orders.Which(own_department(body.department), body.ids, body.state, body.system, body.unused_since)
    whole = body.to_system is None and "to_system" in body.model_fields_set
    done = vpn_moves.move(session(), actor(), which, vpn_moves.Target(body.to_gateway, body.to_system, whole))
    return _ordered(done)


@api.post("/credentials", responses={200: _FILE})
def credentials(body: CredentialsBody, query: WriteQuery) -> Response:
    """Hand out new passwords, told this once, in a ZIP file that only the passphrase opens"""
    which = vpn_credentials.Which(own_department(body.department), body.ids)
    issued = vpn_credentials.issue(session(), actor(), entrance().keys, which)
    return saved(credentials_file(issued, body.form, body.passphrase), "vpn-accounts.zip", "application/zip")


@api.get("/<ref>", responses={200: VpnAccount})
def show(path: IdPath) -> Response:
    """Show an account"""
    return _answer(lookups.resource_for(session(), actor(), KIND, path.ref))


@api.delete("/<ref>", responses={202: VpnAccount})
def delete(path: IdPath, query: WriteQuery) -> Response:
    """Revoke an account: nobody comes in from now on; it is gone once its tunnels are"""
    return _answer(resources.delete(session(), actor(), KIND, path.ref, version()), 202)


@api.post("/<ref>/suspend", responses={202: VpnAccount})
def suspend(path: IdPath, query: WriteQuery) -> Response:
    """Keep it out until it is resumed; its tunnels end"""
    return _act(path, "stop")


@api.post("/<ref>/resume", responses={202: VpnAccount})
def resume(path: IdPath, query: WriteQuery) -> Response:
    """Let it in again"""
    return _act(path, "start")


@api.post("/<ref>/resize", responses={202: VpnAccount})
def resize(path: IdPath, body: VpnAccountSize, query: WriteQuery) -> Response:
    """Say how many tunnels may be up at once"""
    return _act(path, "resize", body)


@api.post("/<ref>/retry", responses={202: VpnAccount})
def retry(path: IdPath, query: WriteQuery) -> Response:
    """Try a faulted account again"""
    return _act(path, "retry")


@api.put("/<ref>/lease", responses={202: VpnAccount})
def set_lease(path: IdPath, body: LeaseBody, query: WriteQuery) -> Response:
    """Set until when it is good, and when what it is for ends"""
    ends = {name: getattr(body, name) for name in sorted(body.model_fields_set)}
    return _answer(leases.set_lease(session(), actor(), _which(path), ends, datetime.now(UTC)), 202)


@api.post("/<ref>/keep", responses={200: VpnAccount})
def keep(path: IdPath, query: WriteQuery) -> Response:
    """Answer that it is still needed, though it seems unused"""
    return _answer(leases.keep(session(), actor(), _which(path), datetime.now(UTC)))


@api.put("/<ref>/hold", responses={200: Leased})
def hold(path: IdPath, body: HoldBody, query: WriteQuery) -> Response:
    """Put it on legal hold: it is not revoked until that is lifted"""
    held = leases.hold(session(), actor(), _which(path), body.reason, datetime.now(UTC))
    return present.answer(present.leased(held), version=held.version)


@api.delete("/<ref>/hold", responses={200: Leased})
def lift(path: IdPath, query: WriteQuery) -> Response:
    """Lift its legal hold; the stage that an ended lease stands in begins anew"""
    free = leases.lift(session(), actor(), _which(path), datetime.now(UTC))
    return present.answer(present.leased(free), version=free.version)


@api.get("/<ref>/history")
def history(path: IdPath) -> Response:
    """The newest hundred events of an account"""
    account = lookups.resource_for(session(), actor(), KIND, path.ref)
    return present.answer({"items": [present.event(e) for e in lookups.history(session(), actor(), account.id)]})


def _ordered(done: list[UUID]) -> Response:
    return present.answer({"count": len(done), "accounts": [str(one) for one in done]}, 202)


def _submit(department: str | None, rows: list[vpn_rows.VpnAccountRow]) -> requests.Submitted:
    of = own_department(department)
    specs = vpn_rows.specs(session(), actor(), entrance().keys, of, rows)
    return requests.submit(session(), actor(), requests.Ask(KIND, of, specs))


def _keys() -> Keys | None:
    """Return the keys where the caller may know whose accounts are."""
    return entrance().keys if allows(actor(), "vpn.person") else None


def _which(path: IdPath) -> leases.Which:
    return leases.Which(KIND, path.ref, version())


def _act(path: IdPath, verb: str, body: Any = None) -> Response:
    order = resources.Order(KIND, path.ref, verb, body, version())
    return _answer(resources.act(session(), actor(), order), 202)


def _answer(account: present.Record, status: int = 200) -> Response:
    asides: Mapping[UUID, Any] = lookups.vpn_accounts_of(session(), actor(), [account.id])
    return present.answer(
        vpn_present.account(account, asides.get(account.id), _keys()), status, version=account.version
    )
