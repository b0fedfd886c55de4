"""Virtual machines: the list of them, and what is done to many at once."""

from collections.abc import Sequence
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response as Redirect

from controlplane import lookups
from controlplane.errors import NotFound, RowsRefused
from controlplane.lifecycle import STATES
from controlplane.policy import allows, authorize
from controlplane.services import resources
from web import errors
from web.console import choosing, places
from web.console.confirming import typed_right
from web.console.lists import Column, Filter, Table, file, shown
from web.console.returning import local
from web.console.sizes import data_disks
from web.context import actor, session
from web.words import called, state_word, verb_word

KIND = "vm"
REFRESH_SECONDS = 5
BULK_VERBS = {"start": "player-play", "stop": "player-stop", "reboot": "refresh", "retry": "rotate-clockwise"}
CONFIRMED_VERBS = frozenset({"stop", "reboot", "delete"})
"""What interrupts or ends the service of machines: nothing of these happens to many before a page said to which."""


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/vms", "vms", index)
    pages.add_url_rule("/vms.csv", "vms_csv", export)
    pages.add_url_rule("/vms/bulk", "vms_bulk", bulk, methods=["POST"])
    pages.add_url_rule("/vms/<uuid:ref>/delete", "vm_delete", ask_to_delete, methods=["GET"])


def index() -> str | Redirect:
    """List VMs"""
    moved = choosing.canonical("console.vms")
    if moved:
        return redirect(moved)
    return render_template("vms.html", list=shown(_table()), may_ask=allows(actor(), "resource.create"))


def export() -> Response:
    """List VMs as a file"""
    return file(_table())


def bulk() -> Redirect | Response | str:
    """Do one thing to many VMs, or say first what that would be"""
    verb = request.form.get("verb", "")
    refs = places.chosen(KIND, request.form.getlist("id"))
    back = local(request.form.get("next"), url_for("console.vms"))
    authorize(actor(), resources.action_for(verb))
    if verb not in BULK_VERBS and verb != "delete":
        raise NotFound(noun="action", name=verb)
    if not refs:
        flash(_("No machine was chosen; nothing was done."), "wait")
        return redirect(back)
    if verb in CONFIRMED_VERBS and not request.form.get("confirmed"):
        return _confirm(verb, refs, back)
    if verb == "delete" and len(refs) > 1 and not typed_right(request.form.get("word", ""), *_words()):
        return make_response(_confirm(verb, refs, back, wrong_word=True), 422)
    return _do(verb, refs, back)


def ask_to_delete(ref: UUID) -> str:
    """Say what deleting a VM would lose"""
    vm = lookups.resource_for(session(), actor(), KIND, ref, "resource.delete")
    return _confirm("delete", [vm.id], url_for("console.vm", ref=ref))


def _do(verb: str, refs: Sequence[UUID], back: str) -> Redirect | Response:
    try:
        if verb == "delete":
            resources.delete_many(session(), actor(), KIND, refs)
        else:
            resources.act_many(session(), actor(), resources.BulkOrder(KIND, refs, verb))
    except RowsRefused as refusal:
        session().rollback()
        reasons = {refs[row]: errors.message(problem) for row, problem in refusal.problems}
        return make_response(_confirm(verb, refs, back, reasons=reasons), refusal.status)
    count = len(refs)
    said = ngettext(
        "%(verb)s of %(num)s machine was ordered.",
        "%(verb)s of %(num)s machines was ordered.",
        count,
        verb=verb_word(verb),
    )
    flash(said, "good")
    return redirect(back)


def _confirm(
    verb: str, refs: Sequence[UUID], back: str, *, wrong_word: bool = False, reasons: dict[UUID, str] | None = None
) -> str:
    """Return the page that says what would be lost, or why it cannot be: to which machines, and how much they are."""
    vms = lookups.resources_by_id(session(), actor(), KIND, refs)
    sizes = {name: sum(vm.demand[name] for vm in vms) for name in ("vcpu", "memory_mib", "disk_gib")}
    return render_template(
        "vms_confirm.html",
        verb=verb,
        verb_label=verb_word(verb),
        vms=vms,
        asked=[str(ref) for ref in refs],
        sizes=sizes,
        back=back,
        word=_words()[0] if verb == "delete" and len(refs) > 1 else None,
        wrong_word=wrong_word,
        reasons=reasons or {},
        missing=[str(ref) for ref in reasons or {} if ref not in {vm.id for vm in vms}],
    )


def _words() -> tuple[str, ...]:
    return str(_("delete")), "delete", "删除"


def _table() -> Table:
    return Table(
        id="vms",
        label=_("Virtual machines"),
        endpoint="console.vms",
        sort="name",
        columns=_columns(),
        filters=_filters(),
        fetch=lambda listing: lookups.resources(session(), actor(), KIND, listing),
        every=REFRESH_SECONDS,
        bulk=_bulk_verbs(),
        nothing={
            "title": _("No virtual machine yet"),
            "advice": _("Ask for the first one: the form shows what it takes before anything is done."),
            "url": url_for("console.vm_new") if allows(actor(), "resource.create") else None,
            "action": _("Ask for a machine"),
        },
    )


def _bulk_verbs() -> list[dict[str, str]]:
    icons = {**BULK_VERBS, "delete": "trash"}
    return [
        {"verb": verb, "label": verb_word(verb), "icon": icon}
        for verb, icon in icons.items()
        if allows(actor(), resources.action_for(verb))
    ]


def _columns() -> list[Column]:
    columns = [
        Column("name", _("Name"), lambda v: v.name, sortable=True),
        Column("state", _("State"), lambda v: state_word(v.state), sortable=True),
        Column("department", _("Department"), lambda v: called(v.department)),
        Column("system", _("System"), lambda v: called(v.system) if v.system else None),
        Column("address", _("Address"), lambda v: " ".join(str(c.address) for c in v.claims)),
        Column("vcpu", _("vCPU"), lambda v: v.wanted["vcpu"], numeric=True),
        Column("memory", _("Memory"), lambda v: v.wanted["memory_mib"], "MiB", numeric=True),
        Column("disk", _("Disk"), lambda v: v.wanted["disk_gib"], "GiB", numeric=True),
        Column("data_disks", _("Data disks"), lambda v: " ".join(map(str, data_disks(v))), "GiB", at_first=False),
        Column("image", _("Image"), lambda v: v.wanted["image"], at_first=False),
        Column("lease", _("Lease until"), lambda v: v.lease_until, at_first=False),
        Column("created_at", _("Created"), lambda v: v.created_at, sortable=True),
        Column("fault", _("Fault"), lambda v: v.fault_detail or v.fault_code, at_first=False),
        Column("id", _("Id"), lambda v: str(v.id), at_first=False),
    ]
    if allows(actor(), "pool.read"):
        pool = Column("pool", _("Pool"), lambda v: called(v.pool), at_first=False)
        columns.insert(5, pool)
    return columns


def _filters() -> list[Filter]:
    states = [(state, state_word(state)) for state in STATES if state != "deleted"]
    filters = [Filter("state", _("State"), states, said=_states_said())]
    filters += [*places.departments(), *places.systems(), *places.pools(KIND, _("Pool"))]
    if request.args.get("subnet"):
        filters.append(Filter("subnet", _("Subnet"), said=request.args["subnet"]))
    if request.args.get("request"):
        filters.append(Filter("request", _("Request"), said=request.args["request"][-8:]))
    return filters


def _states_said() -> str:
    return str(_(" or ")).join(state_word(state) for state in request.args.get("state", "").split(",") if state)
