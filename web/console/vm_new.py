"""Asking for machines: the form, and beside it what the ask would take, before anything is done."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response as Redirect

from controlplane import lookups
from controlplane.errors import NotFound, Refusal
from controlplane.paging import MAX_LIMIT, Listing
from controlplane.policy import authorize
from controlplane.services import requests
from web.console import catalogue, choosing, impact, sizes, vm_draft
from web.console.vm_draft import Draft
from web.console.vms import KIND
from web.context import actor, session
from web.words import called


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/vms/new", "vm_new", form, methods=["GET"])
    pages.add_url_rule("/vms/new", "vm_ask", ask, methods=["POST"])
    pages.add_url_rule("/vms/new/impact", "vm_new_impact", preview, methods=["POST"])


def form() -> str:
    """Show the form for new VMs"""
    authorize(actor(), "resource.create")
    given = {**_at_first(), **request.args}
    department = _department(given.get("department", ""))
    if department:
        given["department"] = choosing.written(department)
    return _page(given, Draft(department=department), None)


def preview() -> str:
    """Say what the ask for new VMs would take"""
    authorize(actor(), "resource.create")
    draft = vm_draft.read(request.form)
    return render_template("parts/impact.html", impact=_impact(draft), problems=draft.problems, missing=draft.missing)


def ask() -> str | Redirect | Response:
    """Ask for VMs"""
    authorize(actor(), "resource.create")
    draft = vm_draft.read(request.form)
    if request.form.get("preview"):
        found = _impact(draft)
        return _page(request.form, vm_draft.read(request.form), found)
    if not draft.items:
        return make_response(_page(request.form, draft, None), 422)
    try:
        made = requests.submit(session(), actor(), _asked(draft))
    except Refusal as refusal:
        session().rollback()
        page = _page(request.form, vm_draft.read(request.form), impact.Impact(refused=impact.refused(refusal)))
        return make_response(page, refusal.status)
    return _to(made)


def _to(made: requests.Submitted) -> Redirect:
    """Lead to the machine that was asked for; where there are many, to the list of them."""
    vms = made.resources
    words = ngettext("%(num)s machine is being built.", "%(num)s machines are being built.", len(vms))
    flash(words, "good")
    if len(vms) == 1:
        return redirect(url_for("console.vm", ref=vms[0].id))
    return redirect(url_for("console.vms", request=made.id))


def _asked(draft: Draft) -> requests.Ask:
    return requests.Ask(KIND, draft.department.id, draft.items)


def _impact(draft: Draft) -> impact.Impact | None:
    """Try the ask out. None where it is not complete yet, or for no department."""
    if draft.department is None or not draft.items:
        return None
    wanted = _asked(draft)

    return impact.of_asking(draft.department.id, lambda tried: requests.submit(tried, actor(), wanted))


def _page(given: Mapping[str, str], draft: Draft, found: impact.Impact | None) -> str:
    return render_template(
        "vm_new.html",
        form=given,
        problems=draft.problems,
        missing=draft.missing if request.method == "POST" else (),
        impact=found,
        fixed=_own() if actor().scope is not None and len(actor().scope or ()) == 1 else None,
        systems=_systems(draft.department),
        sizes=sizes.options(catalogue.flavors()),
        images=[(i.code, called(i)) for i in catalogue.images()],
        subnets4=[(s.code, f"{called(s)} · {s.cidr}") for s in catalogue.subnets(4)],
        subnets6=[(s.code, f"{called(s)} · {s.cidr}") for s in catalogue.subnets(6)],
        most=vm_draft.MOST_AT_ONCE,
    )


def _at_first() -> dict[str, str]:
    """Return the fields as they stand before anything is typed."""
    own = _own()
    flavors, images, subnets = catalogue.flavors(), catalogue.images(), catalogue.subnets(4)
    return {
        "department": choosing.written(own) if own else "",
        "count": "1",
        "flavor": flavors[0].code if flavors else "",
        "image": images[0].code if images else "",
        "subnet4": subnets[0].code if subnets else "",
    }


def _own() -> Any:
    department = actor().department
    return lookups.department_for(session(), actor(), department, "department.read") if department else None


def _department(typed: str) -> Any:
    try:
        return choosing.department(typed) if typed else None
    except NotFound:
        return None


def _systems(department: Any) -> list[tuple[str, str]]:
    if department is None:
        return [("", _("Choose the department first"))]
    found = lookups.systems(session(), actor(), Listing(MAX_LIMIT, None, "name", {"department": str(department.id)}))
    named = [(s.code, _("%(name)s · MLPS %(level)s", name=called(s), level=s.mlps_level)) for s in found.items]
    return [("", _("Choose a system")), *named] if named else [("", _("This department has no system yet"))]
