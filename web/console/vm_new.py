"""Asking for machines: the form, and beside it what the ask would take, before anything is done."""

from collections.abc import Mapping

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response as Redirect

from controlplane.errors import Refusal
from controlplane.policy import authorize
from controlplane.services import asking, requests
from controlplane.services.asking import Drafted
from web.console import choosing, impact, request_items, vm_draft, vm_fields
from web.console.vm_draft import Draft
from web.console.vms import KIND
from web.context import actor, session


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/vms/new", "vm_new", form, methods=["GET"])
    pages.add_url_rule("/vms/new", "vm_ask", ask, methods=["POST"])
    pages.add_url_rule("/vms/new/impact", "vm_new_impact", preview, methods=["POST"])


def form() -> str:
    """Show the form for new VMs"""
    authorize(actor(), "resource.create")
    given = {**vm_fields.at_first(), **request.args}
    department = vm_fields.department(given.get("department", ""))
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
    if request.form.get("as_request"):
        return _as_request(draft)
    try:
        made = requests.submit(session(), actor(), _asked(draft))
    except Refusal as refusal:
        session().rollback()
        page = _page(request.form, vm_draft.read(request.form), impact.Impact(refused=impact.refused(refusal)))
        return make_response(page, refusal.status)
    return _to(made)


def _as_request(draft: Draft) -> Redirect:
    """Put the very same machines into a new draft of a request."""
    items = [{"do": "create", "kind": KIND, "spec": dict(spec)} for spec in draft.items]
    drafted = Drafted(request_items.summary(items), "", items)
    asked = asking.draft(session(), actor(), draft.department.id, drafted)
    flash(_("The machines are in a draft of a request. Say what they are for, and submit it."), "good")
    return redirect(url_for("console.request_edit", ref=asked.id))


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
        fixed=vm_fields.only(),
        **vm_fields.choices(draft.department),
    )
