"""Asking for a VPN account: the form, and beside it what the ask would take, before anything is done."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from controlplane import lookups, vpn_rows
from controlplane.errors import Refusal, RowsRefused
from controlplane.kinds.vpn_account import VpnAccountSpec
from controlplane.paging import MAX_LIMIT, Listing
from controlplane.policy import authorize
from controlplane.services import asking, requests
from controlplane.services.asking import Drafted
from web import errors
from web.console import choosing, impact, vm_fields, vpn_account_draft
from web.console.vpn_account_draft import Draft, beside
from web.console.vpn_accounts import KIND
from web.context import actor, entrance, session


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/vpn-accounts/new", "vpn_account_new", form, methods=["GET"])
    pages.add_url_rule("/vpn-accounts/new", "vpn_account_ask", ask, methods=["POST"])
    pages.add_url_rule("/vpn-accounts/new/impact", "vpn_account_new_impact", preview, methods=["POST"])


def form() -> str:
    """Show the form for a new account"""
    authorize(actor(), "resource.create")
    given: dict[str, str] = {"max_sessions": "1", **request.args}
    department = vm_fields.department(given.get("department", "")) or vm_fields.own()
    if department:
        given["department"] = choosing.written(department)
    return _page(given, Draft(department=department), None)


def preview() -> str:
    """Say what the ask for a new account would take"""
    authorize(actor(), "resource.create")
    draft = vpn_account_draft.read(request.form)
    found = _impact(draft)
    return render_template("parts/impact.html", impact=found, problems=draft.problems, missing=draft.missing)


def ask() -> str | Redirect | Response:
    """Ask for an account"""
    authorize(actor(), "resource.create")
    draft = vpn_account_draft.read(request.form)
    if request.form.get("preview"):
        found = _impact(draft)
        return _page(request.form, vpn_account_draft.read(request.form), found)
    if draft.row is None or draft.department is None:
        return make_response(_page(request.form, draft, None), 422)
    if request.form.get("as_request"):
        return _as_request(draft)
    try:
        made = _submit(session(), draft)
    except Refusal as refusal:
        session().rollback()
        return make_response(_refused(refusal), refusal.status)
    flash(_("The account %(name)s is being opened.", name=made.resources[0].prepared.name), "good")
    return redirect(url_for("console.vpn_account", ref=made.resources[0].id))


def _refused(refusal: Refusal) -> str:
    """Return the form with a refusal beside the field that it is about, or beside the form."""
    draft = vpn_account_draft.read(request.form)
    one = refusal.problems[0][1] if isinstance(refusal, RowsRefused) else refusal
    name = beside(one.values)
    if name:
        draft.problems[name] = str(one.values.get("reason") or errors.message(one))
        return _page(request.form, draft, None)
    return _page(request.form, draft, impact.Impact(refused=impact.refused(refusal)))


def _as_request(draft: Draft) -> Redirect:
    """Put the very same account into a new draft of a request."""
    [spec] = _specs(session(), draft)
    item = {"do": "create", "kind": KIND, "spec": spec.model_dump(mode="json", exclude_unset=True)}
    drafted = Drafted(_("VPN account %(name)s", name=spec.username), "", [item])
    asked = asking.draft(session(), actor(), draft.department.id, drafted)
    flash(_("The account is in a draft of a request. Say what it is for, and submit it."), "good")
    return redirect(url_for("console.request_edit", ref=asked.id))


def _submit(session: Any, draft: Draft) -> requests.Submitted:
    """Ask for what a complete draft says."""
    return requests.submit(session, actor(), requests.Ask(KIND, draft.department.id, _specs(session, draft)))


def _specs(session: Any, draft: Draft) -> list[VpnAccountSpec]:
    """Return what a complete draft asks for, with its person sealed."""
    rows = [draft.row] if draft.row else []
    return vpn_rows.specs(session, actor(), entrance().keys, draft.department.id, rows)


def _impact(draft: Draft) -> impact.Impact | None:
    """Try the ask out. None where it is not complete yet, or for no department."""
    if draft.department is None or draft.row is None:
        return None
    return impact.of_asking(draft.department.id, lambda tried: _submit(tried, draft), (KIND,))


def _page(given: Mapping[str, str], draft: Draft, found: impact.Impact | None) -> str:
    return render_template(
        "vpn/account_new.html",
        form=given,
        problems=draft.problems,
        missing=draft.missing if request.method == "POST" else (),
        impact=found,
        fixed=vm_fields.only(),
        **_choices(draft.department),
    )


def _choices(department: Any) -> dict[str, Any]:
    """Return what the fields offer for a department, None while it is not known; and whether a rule makes its user
    names."""
    if department is None:
        return {"systems": [("", _("Choose the department first"))], "gateways": [("", _("Whichever has room"))]}
    groups = lookups.vpn_groups(
        session(), actor(), Listing(MAX_LIMIT, None, "name", {"department": str(department.id)})
    )
    codes = dict.fromkeys(group.pool.code for group in groups.items)
    rules = {group.username_rule for group in groups.items if group.system_id is None}
    return {
        "systems": [("", _("All of the department")), *vm_fields.systems(department)],
        "gateways": [("", _("Whichever has room")), *((code, code) for code in codes)],
        "rule": rules.pop() if len(rules) == 1 else None,
    }
