"""One virtual machine: its page, and what can be done to it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from controlplane import lookups
from controlplane.errors import NotFound, Refusal
from controlplane.lifecycle import IN_TRANSITION
from controlplane.policy import allows
from controlplane.reports import usage as report
from controlplane.services import resources
from web.console import catalogue, impact, sizes
from web.console.consoles import console_page
from web.console.lease_orders import lease_of
from web.console.vms import KIND
from web.context import actor, session
from web.errors import message
from web.request_words import do_word
from web.words import action_word, class_word, exact_scale, state_word, verb_word

PLAIN_VERBS = {"start": "player-play", "stop": "player-stop", "reboot": "refresh", "retry": "rotate-clockwise"}
_UNFLOAT = {"unfloat": "world"}
FORM_VERBS = {"resize": "adjustments", "snapshot": "camera", "rebuild": "history", "float": "world", "delete": "trash"}
"""What has a page of its own before it is done."""
SOON, LATER = 2, 15
"""Seconds between two looks at a machine: in transition, and settled."""


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/vms/<uuid:ref>", "vm", show)
    pages.add_url_rule("/vms/<uuid:ref>/resize", "vm_resize", resize, methods=["GET", "POST"])
    pages.add_url_rule("/vms/<uuid:ref>/resize/impact", "vm_resize_impact", resize_impact, methods=["POST"])
    pages.add_url_rule("/vms/<uuid:ref>/rebuild", "vm_rebuild", rebuild, methods=["GET", "POST"])
    pages.add_url_rule("/vms/<uuid:ref>/float", "vm_float", float_, methods=["GET", "POST"])
    pages.add_url_rule("/vms/<uuid:ref>/<verb>", "vm_act", act, methods=["POST"])


def show(ref: UUID) -> str:
    """Show a VM"""
    vm = lookups.resource_for(session(), actor(), KIND, ref)
    read, tabs = _tabs(vm)
    return render_template(
        "vm.html",
        vm=vm,
        data_disks=sizes.data_disks(vm),
        tab=read,
        tabs=[(name, label) for name, label, _read in tabs],
        verbs=_verbs(vm),
        asking=_asking(vm),
        shown=next(reading for name, _label, reading in tabs if name == read)(),
        console_url=console_page(vm),
        lease=lease_of(vm),
        with_pool=allows(actor(), "pool.read"),
        action_word=action_word,
        seconds=SOON if vm.state in IN_TRANSITION else LATER,
    )


def _tabs(vm: Any) -> tuple[str, list[tuple[str, str, Callable[[], Any]]]]:
    """Return the name of the tab that is asked for, and all tabs with what reads each of them."""
    tabs: list[tuple[str, str, Callable[[], Any]]] = [
        ("summary", _("Summary"), lambda: lookups.history(session(), actor(), vm.id, 5)),
        ("history", _("History"), lambda: lookups.history(session(), actor(), vm.id, 100)),
        ("usage", _("Usage"), lambda: _usage(vm)),
        ("technical", _("Technical"), lambda: None),
    ]
    asked = request.args.get("tab", "summary")
    return (asked if asked in {name for name, _label, _read in tabs} else "summary"), tabs


def act(ref: UUID, verb: str) -> Redirect:
    """Do something to a VM"""
    if verb not in PLAIN_VERBS | _UNFLOAT:
        lookups.resource_for(session(), actor(), KIND, ref)
        raise NotFound(noun="action", name=verb)
    vm = resources.act(session(), actor(), resources.Order(KIND, ref, verb))
    return ordered(verb, vm)


def resize(ref: UUID) -> str | Redirect | Response:
    """Give a VM another size"""
    vm = lookups.resource_for(session(), actor(), KIND, ref, "resource.change")
    if request.method == "GET":
        return _resize_page(vm, sizes.of(vm), {}, None)
    asked = sizes.read(request.form, catalogue.flavors(), vm)
    if asked.problems:
        return make_response(_resize_page(vm, request.form, asked.problems, None), 422)
    if request.form.get("preview"):
        found = _resize_impact(vm, asked.body)
        return _resize_page(lookups.resource_for(session(), actor(), KIND, ref), request.form, {}, found)
    try:
        changed = resources.act(session(), actor(), resources.Order(KIND, ref, "resize", asked.body))
    except Refusal as refusal:
        session().rollback()
        vm = lookups.resource_for(session(), actor(), KIND, ref)
        page = _resize_page(vm, request.form, {}, impact.Impact(refused=impact.refused(refusal)))
        return make_response(page, refusal.status)
    return ordered("resize", changed)


def resize_impact(ref: UUID) -> str:
    """Say what another size of a VM would take"""
    vm = lookups.resource_for(session(), actor(), KIND, ref, "resource.change")
    asked = sizes.read(request.form, catalogue.flavors(), vm)
    found = None if asked.problems else _resize_impact(vm, asked.body)
    return render_template("parts/impact.html", impact=found, problems=asked.problems)


def rebuild(ref: UUID) -> str | Redirect | Response:
    """Start a VM again from an image"""
    vm = lookups.resource_for(session(), actor(), KIND, ref, "resource.change")
    if request.method == "GET" or not request.form.get("understood"):
        wrong = request.method == "POST"
        page = render_template(
            "vm_rebuild.html",
            vm=vm,
            data_disks=sizes.data_disks(vm),
            images=catalogue.images(),
            wrong=wrong,
            form=request.form,
        )
        return make_response(page, 422 if wrong else 200)
    body = {"image": request.form.get("image") or vm.wanted["image"]}
    return ordered("rebuild", resources.act(session(), actor(), resources.Order(KIND, ref, "rebuild", body)))


def float_(ref: UUID) -> str | Redirect | Response:
    """Give a VM a floating address"""
    vm = lookups.resource_for(session(), actor(), KIND, ref, "resource.change")
    if request.method == "GET":
        return _float_page(vm, {})
    body = {"subnet": request.form.get("subnet", "")}
    try:
        return ordered("float", resources.act(session(), actor(), resources.Order(KIND, ref, "float", body)))
    except Refusal as refusal:
        session().rollback()
        vm = lookups.resource_for(session(), actor(), KIND, ref)
        return make_response(_float_page(vm, {"subnet": message(refusal)}), refusal.status)


def _float_page(vm: Any, problems: dict[str, str]) -> str:
    floating = [(s.code, catalogue.subnet_words(s)) for s in catalogue.floating_subnets()]
    return render_template("vm_float.html", vm=vm, floating=floating, form=request.form, problems=problems)


def ordered(verb: str, vm: Any) -> Redirect:
    """Say that something was ordered for a VM, on its page."""
    flash(_("%(verb)s of %(name)s was ordered.", verb=verb_word(verb), name=vm.name), "good")
    return redirect(url_for("console.vm", ref=vm.id))


def _resize_page(vm: Any, form: Any, problems: Any, found: impact.Impact | None) -> str:
    flavors = catalogue.flavors()
    return render_template(
        "vm_resize.html",
        vm=vm,
        data_disks=sizes.data_disks(vm),
        form=form,
        problems=problems,
        impact=found,
        sizes=sizes.options(flavors),
        may_ask=allows(actor(), "request.ask"),
    )


def _resize_impact(vm: Any, body: Any) -> impact.Impact:
    order = resources.Order(KIND, vm.id, "resize", body)
    return impact.of_changing(vm, lambda tried: resources.act(tried, actor(), order))


def reasons(vm: Any) -> dict[str, str]:
    """Return every verb that suits a VM with why it is impossible now, as a person is told; nothing where it is not."""
    words = {
        "": "",
        "state": _("Not possible while it is: %(state)s", state=state_word(vm.state)),
        "hold": _("Not possible: it is on legal hold"),
        "quarantine": _("Not possible in quarantine: ask for more time first"),
    }
    return {verb: words[obstacle] for verb, obstacle in resources.obstacles(vm).items()}


def _verbs(vm: Any) -> list[dict[str, Any]]:
    """Return the buttons of a VM; those that are impossible now say why."""
    # The page of snapshots says itself what is possible.
    impossible = reasons(vm)
    impossible |= {"snapshot": ""} if impossible.keys() & {"snapshot", "restore"} else {}
    links = {
        "resize": url_for("console.vm_resize", ref=vm.id),
        "rebuild": url_for("console.vm_rebuild", ref=vm.id),
        "snapshot": url_for("console.vm_snapshots", ref=vm.id),
        "float": url_for("console.vm_float", ref=vm.id),
        "delete": url_for("console.vm_delete", ref=vm.id),
    }
    return [
        {
            "verb": verb,
            "label": _("Snapshots") if verb == "snapshot" else verb_word(verb),
            "icon": icon,
            "reason": impossible[verb],
            "link": links.get(verb),
        }
        for verb, icon in {**PLAIN_VERBS, **_UNFLOAT, **FORM_VERBS}.items()
        if verb in impossible and allows(actor(), resources.action_for(verb)) and (verb != "float" or _some_float())
    ]


def _some_float() -> bool:
    """Tell whether there are floating addresses that the reader can choose."""
    return allows(actor(), "catalogue.read") and bool(catalogue.floating_subnets())


def _asking(vm: Any) -> list[tuple[str, str]]:
    """Return what can be asked for a VM in a request, each with the form that begins with it."""
    if vm.desired == "absent" or not allows(actor(), "request.ask"):
        return []
    about = {"department": vm.department.code, "machine": vm.name}
    return [
        (do_word(what), url_for("console.request_new", what=what, **about))
        for what in ("extend", "resize", "transfer", "release")
    ]


def _usage(vm: Any) -> list[dict[str, Any]]:
    """Return what the machine has used of each class since it was made: its size now, and class-hours so far."""
    hours = report.of_resource(session(), actor(), vm, datetime.now(UTC))
    lines = []
    for name in (c for c in impact.ORDER if c in hours):
        divisor, unit = exact_scale(name, vm.demand.get(name))
        now = vm.demand.get(name, 0)
        lines.append({"label": class_word(name), "unit": unit, "now": now / divisor, "hours": hours[name] / divisor})
    return lines
