"""Virtual machines."""

from datetime import UTC, datetime

from flask import Response, request, url_for
from pydantic import BaseModel

from controlplane import lookups
from controlplane.policy import allows
from controlplane.reports import quota as report
from controlplane.services import consoles, leases, requests, resources
from web import present
from web.api.nouns import listing, noun
from web.context import actor, console_url, dry_run, own_department, session, version
from web.lease_schemas import HoldBody, LeaseBody
from web.lease_shapes import Leased
from web.schemas import (
    BulkPath,
    IdPath,
    IdsBody,
    SnapshotPath,
    VmBody,
    VmFloat,
    VmOfSnapshot,
    VmQuery,
    VmRebuild,
    VmsBody,
    VmSize,
    VmSnapshot,
    VmSpec,
    WriteQuery,
)
from web.shapes import OrderedVms, Ticket, Vm, VmPage, Vms

api = noun("vms", "/vms", "Virtual machines of departments")
KIND = "vm"


@api.get("", responses={200: VmPage})
def index(query: VmQuery) -> Response:
    """List VMs"""
    return present.page(lookups.resources(session(), actor(), KIND, listing(query)), _shape)


@api.post("", responses={202: Vm})
def create(body: VmBody, query: WriteQuery) -> Response:
    """Ask for one VM"""
    submitted = _submit(body.department, [body])
    [vm] = submitted.resources
    return present.created(_with_quota(submitted, _made(submitted, vm)), "/vms", vm, 202)


@api.post("/bulk", responses={202: Vms})
def create_many(body: VmsBody, query: WriteQuery) -> Response:
    """Ask for many VMs, all or none"""
    submitted = _submit(body.department, body.vms)
    answer = {"request": str(submitted.id), "vms": [_made(submitted, vm) for vm in submitted.resources]}
    made = present.answer(_with_quota(submitted, answer), 202)
    made.headers["Location"] = url_for("requests.show", ref=submitted.id)
    return made


@api.post("/bulk/<verb>", responses={202: OrderedVms})
def act_many(path: BulkPath, body: IdsBody, query: WriteQuery) -> Response:
    """Do one thing to many VMs, all or none"""
    if path.verb == "delete":
        done = resources.delete_many(session(), actor(), KIND, body.ids)
    else:
        done = resources.act_many(session(), actor(), resources.BulkOrder(KIND, body.ids, path.verb))
    vms = lookups.resources_by_id(session(), actor(), KIND, done)
    return present.answer({"vms": [_shape(vm) for vm in vms]}, 202)


@api.get("/<ref>", responses={200: Vm})
def show(path: IdPath) -> Response:
    """Show a VM"""
    return _answer(lookups.resource_for(session(), actor(), KIND, path.ref))


@api.delete("/<ref>", responses={202: Vm})
def delete(path: IdPath, query: WriteQuery) -> Response:
    """Delete a VM; its quota and addresses are free once it is confirmed gone"""
    return _answer(resources.delete(session(), actor(), KIND, path.ref, version()), 202)


@api.post("/<ref>/start", responses={202: Vm})
def start(path: IdPath, query: WriteQuery) -> Response:
    """Power on"""
    return _act(path, "start")


@api.post("/<ref>/stop", responses={202: Vm})
def stop(path: IdPath, query: WriteQuery) -> Response:
    """Power off"""
    return _act(path, "stop")


@api.post("/<ref>/reboot", responses={202: Vm})
def reboot(path: IdPath, query: WriteQuery) -> Response:
    """Restart"""
    return _act(path, "reboot")


@api.post("/<ref>/retry", responses={202: Vm})
def retry(path: IdPath, query: WriteQuery) -> Response:
    """Try a faulted VM again"""
    return _act(path, "retry")


@api.post("/<ref>/resize", responses={202: Vm})
def resize(path: IdPath, body: VmSize, query: WriteQuery) -> Response:
    """Give it another size; it is restarted for it"""
    return _act(path, "resize", body)


@api.post("/<ref>/rebuild", responses={202: Vm})
def rebuild(path: IdPath, body: VmRebuild, query: WriteQuery) -> Response:
    """Start again from an image; what is on its disk is lost, data disks keep theirs"""
    return _act(path, "rebuild", body)


@api.post("/<ref>/float", responses={202: Vm})
def float_(path: IdPath, body: VmFloat, query: WriteQuery) -> Response:
    """Give it a floating address, by which others reach it from outside its network"""
    return _act(path, "float", body)


@api.post("/<ref>/unfloat", responses={202: Vm})
def unfloat(path: IdPath, query: WriteQuery) -> Response:
    """Take its floating address away; it is free once nothing leads from it to the VM"""
    return _act(path, "unfloat")


@api.post("/<ref>/snapshots", responses={202: Vm})
def snapshot(path: IdPath, body: VmSnapshot, query: WriteQuery) -> Response:
    """Keep what is on its disk under a name; data disks are not in it"""
    return _act(path, "snapshot", body)


@api.delete("/<ref>/snapshots/<name>", responses={202: Vm})
def drop_snapshot(path: SnapshotPath, query: WriteQuery) -> Response:
    """Delete one of its snapshots; its quota is free once it is confirmed gone"""
    return _act(path, "drop_snapshot", VmOfSnapshot(snapshot=path.name))


@api.post("/<ref>/restore", responses={202: Vm})
def restore(path: IdPath, body: VmOfSnapshot, query: WriteQuery) -> Response:
    """Put its disk back to what a snapshot holds; what is on the disk is lost, data disks keep theirs"""
    return _act(path, "restore", body)


@api.put("/<ref>/lease", responses={202: Vm})
def set_lease(path: IdPath, body: LeaseBody, query: WriteQuery) -> Response:
    """Set when it is to be given back, and when what it is for ends; what the end of its lease did is undone"""
    ends = {name: getattr(body, name) for name in sorted(body.model_fields_set)}
    return _answer(leases.set_lease(session(), actor(), _which(path), ends, datetime.now(UTC)), 202)


@api.post("/<ref>/keep", responses={200: Vm})
def keep(path: IdPath, query: WriteQuery) -> Response:
    """Answer that it is still needed, though it seems unused"""
    return _answer(leases.keep(session(), actor(), _which(path), datetime.now(UTC)))


@api.put("/<ref>/hold", responses={200: Leased})
def hold(path: IdPath, body: HoldBody, query: WriteQuery) -> Response:
    """Put it on legal hold: nothing of it is stopped, rebuilt or deleted until that is lifted"""
    held = leases.hold(session(), actor(), _which(path), body.reason, datetime.now(UTC))
    return present.answer(present.leased(held), version=held.version)


@api.delete("/<ref>/hold", responses={200: Leased})
def lift(path: IdPath, query: WriteQuery) -> Response:
    """Lift its legal hold; the stage that an ended lease stands in begins anew"""
    free = leases.lift(session(), actor(), _which(path), datetime.now(UTC))
    return present.answer(present.leased(free), version=free.version)


@api.post("/<ref>/console", responses={200: Ticket})
def console(path: IdPath, query: WriteQuery) -> Response:
    """Open its console: a ticket that is good once, for a minute, and the websocket to show it to"""
    secret = consoles.issue(session(), actor(), path.ref, request.headers.get("Origin"))
    return present.answer({"ticket": secret, "seconds": consoles.SECONDS, "url": console_url()})


@api.get("/<ref>/history")
def history(path: IdPath) -> Response:
    """The newest hundred events of a VM"""
    vm = lookups.resource_for(session(), actor(), KIND, path.ref)
    return present.answer({"items": [present.event(e) for e in lookups.history(session(), actor(), vm.id)]})


def _which(path: IdPath) -> leases.Which:
    return leases.Which(KIND, path.ref, version())


def _submit(department: str | None, specs: list[VmSpec]) -> requests.Submitted:
    return requests.submit(session(), actor(), requests.Ask(KIND, own_department(department), specs))


def _act(path: IdPath, verb: str, body: BaseModel | None = None) -> Response:
    order = resources.Order(KIND, path.ref, verb, body, version())
    return _answer(resources.act(session(), actor(), order), 202)


def _answer(vm: present.Record, status: int = 200) -> Response:
    return present.answer(_shape(vm), status, version=vm.version)


def _shape(vm: present.Record) -> dict[str, present.Record]:
    return present.vm(vm, with_pool=allows(actor(), "pool.read"))


def _made(submitted: requests.Submitted, vm: requests.Allocated) -> dict[str, present.Record]:
    return present.allocated(submitted, vm, with_pool=allows(actor(), "pool.read"))


def _with_quota(submitted: requests.Submitted, body: dict[str, present.Record]) -> dict[str, present.Record]:
    """Add to a dry run's answer what the department would have left."""
    if not dry_run():
        return body
    department = submitted.department.id
    balances = report.of_departments(session(), actor(), [department]).get(department, ())
    return {**body, "quota_after": [present.balance(b) for b in balances]}
