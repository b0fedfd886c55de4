"""Snapshots of a virtual machine: what is kept, one more, and back to one of them."""

from datetime import datetime
from uuid import UUID

from flask import Blueprint, Response, make_response, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from controlplane import lookups
from controlplane.errors import Invalid, Refusal
from controlplane.services import resources
from web import present
from web.console import vm as pages_of_vm
from web.console.vms import KIND
from web.context import actor, session
from web.errors import message


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/vms/<uuid:ref>/snapshots", "vm_snapshots", snapshots, methods=["GET", "POST"])
    pages.add_url_rule("/vms/<uuid:ref>/snapshots/restore", "vm_restore", restore, methods=["POST"])
    pages.add_url_rule("/vms/<uuid:ref>/snapshots/delete", "vm_drop_snapshot", drop, methods=["POST"])


def snapshots(ref: UUID) -> str | Redirect | Response:
    """Show a VM's snapshots and take one more"""
    if request.method == "GET":
        return _page(ref, "")
    try:
        return _order(ref, "snapshot", {"name": request.form.get("name", "").strip()})
    except Refusal as refusal:
        session().rollback()
        wrong = _("Lower-case letters, digits, dots and dashes.") if isinstance(refusal, Invalid) else message(refusal)
        return make_response(_page(ref, wrong), refusal.status)


def restore(ref: UUID) -> Redirect:
    """Put a VM's disk back to a snapshot"""
    return _order(ref, "restore", {"snapshot": request.form.get("snapshot", "")})


def drop(ref: UUID) -> Redirect:
    """Delete a snapshot of a VM"""
    return _order(ref, "drop_snapshot", {"snapshot": request.form.get("snapshot", "")})


def _order(ref: UUID, verb: str, body: dict[str, str]) -> Redirect:
    return pages_of_vm.ordered(verb, resources.act(session(), actor(), resources.Order(KIND, ref, verb, body)))


def _moment(written: str | None) -> datetime | None:
    return datetime.fromisoformat(written) if written else None


def _page(ref: UUID, problem: str) -> str:
    vm = lookups.resource_for(session(), actor(), KIND, ref, "resource.change")
    return render_template(
        "vm_snapshots.html",
        vm=vm,
        snapshots=[kept | {"taken": _moment(kept["taken"])} for kept in present.snapshots(vm.wanted)],
        reasons=pages_of_vm.reasons(vm),
        form=request.form,
        problem=problem,
    )
