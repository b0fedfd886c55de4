"""Virtual machines: the list, and the page of one."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from controlplane import lookups
from controlplane.errors import NotFound
from controlplane.lifecycle import STATES
from controlplane.paging import Listing
from controlplane.policy import allows
from controlplane.services import resources
from web.console.consoles import console_page
from web.context import actor, session
from web.words import action_word, state_word, verb_word

KIND = "vm"
FILTERS = ("q", "state", "department", "system", "pool")
PLAIN_VERBS = {"start": "player-play", "stop": "player-stop", "reboot": "refresh", "retry": "rotate-clockwise"}
REFRESH_SECONDS = 5


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/vms", "vms", index)
    pages.add_url_rule("/vms/<uuid:ref>", "vm", show)
    pages.add_url_rule("/vms/<uuid:ref>/<verb>", "vm_act", act, methods=["POST"])


def index() -> str:
    """List VMs"""
    filters = {name: request.args[name] for name in FILTERS if request.args.get(name)}
    sort = request.args.get("sort") or "name"
    listing = Listing(50, request.args.get("cursor"), sort, filters)
    found = lookups.resources(session(), actor(), KIND, listing)
    return render_template("vms.html", list=_list(found, sort))


def show(ref: Any) -> str:
    """Show a VM"""
    vm = lookups.resource_for(session(), actor(), KIND, ref)
    return render_template(
        "vm.html",
        vm=vm,
        verbs=_verbs(vm),
        history=lookups.history(session(), actor(), vm.id, 50),
        with_pool=allows(actor(), "pool.read"),
        action_word=action_word,
        seconds=REFRESH_SECONDS,
        console_url=console_page(vm),
    )


def act(ref: Any, verb: str) -> Response:
    """Do something to a VM"""
    if verb == "delete":
        vm = resources.delete(session(), actor(), KIND, ref)
    elif verb in PLAIN_VERBS:
        vm = resources.act(session(), actor(), resources.Order(KIND, ref, verb))
    else:
        raise NotFound(noun="action", name=verb)
    flash(_("%(verb)s of %(name)s was ordered.", verb=verb_word(verb), name=vm.name), "good")
    return redirect(url_for("console.vm", ref=vm.id))


def _verbs(vm: Any) -> list[dict[str, Any]]:
    """Return the buttons of a VM; those that are impossible now say why."""
    possible = resources.possible(vm)
    icons = {**PLAIN_VERBS, "delete": "trash"}
    reason = _("Not possible while it is: %(state)s", state=state_word(vm.state))
    return [
        {"verb": verb, "label": verb_word(verb), "icon": icon, "reason": "" if possible[verb] else reason}
        for verb, icon in icons.items()
        if allows(actor(), "resource.delete" if verb == "delete" else "resource.change")
    ]


def _list(found: Any, sort: str) -> dict[str, Any]:
    shown = [state for state in STATES if state != "deleted"]
    columns = [
        ("name", _("Name"), True, False),
        ("state", _("State"), True, False),
        ("department", _("Department"), False, False),
        ("system", _("System"), False, False),
        ("address", _("Address"), False, False),
        ("vcpu", _("vCPU"), False, True),
        ("memory", _("Memory"), False, True),
        ("disk", _("Disk"), False, True),
        ("created_at", _("Created"), True, False),
    ]
    return {
        "id": "vms",
        "label": _("Virtual machines"),
        "columns": [{"key": k, "label": label, "sortable": s, "numeric": n} for k, label, s, n in columns],
        "sort": sort,
        "filters": [{"name": "state", "label": _("State"), "options": [(s, state_word(s)) for s in shown]}],
        "search": "q",
        "page": found,
        "total": None,
        "csv": None,
        "every": REFRESH_SECONDS,
        "nothing": {
            "title": _("No virtual machine yet"),
            "advice": _("Ask for one by the API or the command line; the README shows how."),
            "url": None,
            "action": None,
        },
    }
