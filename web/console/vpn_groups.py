"""Groups at VPN gateways: opening, changing and closing one."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from controlplane import lookups
from controlplane.errors import InUse, Refusal
from controlplane.policy import authorize
from controlplane.services import vpn_groups as service
from web import errors
from web.console import places, vm_fields, vpn_group_form
from web.console.routing_form import version
from web.console.vpn_accounts import KIND
from web.context import actor, session
from web.words import called

_PLACE = frozenset({"gateway", "department", "system", "prefix", "cidr", "networks"})


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    for path, name, view, method in (
        ("/vpn-groups/new", "vpn_group_new", form, "GET"),
        ("/vpn-groups/new", "vpn_group_create", create, "POST"),
        ("/vpn-groups/<uuid:ref>", "vpn_group", show, "GET"),
        ("/vpn-groups/<uuid:ref>", "vpn_group_change", change, "POST"),
        ("/vpn-groups/<uuid:ref>/delete", "vpn_group_delete", delete, "POST"),
    ):
        pages.add_url_rule(path, name, view, methods=[method])


def form() -> str:
    """Offer the form for a new group"""
    authorize(actor(), "pool.write")
    return _new({**vpn_group_form.AT_FIRST, **request.args}, {})


def create() -> Redirect | Response:
    """Open a group for a department, or one of its systems, at a gateway"""
    authorize(actor(), "pool.write")
    read = vpn_group_form.new(request.form, vm_fields.department(request.form.get("department", "").strip()))
    if read.problems:
        return make_response(_new(request.form, read.problems), 422)
    try:
        new = service.NewGroup(
            **read.said.model_dump(include=set(_PLACE)), more=read.said.model_dump(exclude=set(_PLACE))
        )
        made = service.create(session(), actor(), new)
    except Refusal as refusal:
        session().rollback()
        return make_response(_new(request.form, _beside(refusal)), refusal.status)
    flash(_("The group %(name)s was opened: its block is %(cidr)s.", name=made.name, cidr=made.cidr), "good")
    return redirect(url_for("console.vpn_gateway", ref=made.pool.code))


def show(ref: UUID) -> str:
    """Show a group in its form"""
    group = lookups.vpn_group_for(session(), actor(), ref, "pool.write")
    return _form(group, vpn_group_form.of(group), {})


def change(ref: UUID) -> Redirect | Response:
    """Change what a group reaches, its times, rates, rule and second factor"""
    group = lookups.vpn_group_for(session(), actor(), ref, "pool.write")
    read = vpn_group_form.change(request.form)
    if read.problems:
        return make_response(_form(group, request.form, read.problems), 422)
    try:
        changed = service.update(
            session(), actor(), ref, read.said.model_dump(exclude_unset=True), version(request.form)
        )
    except Refusal as refusal:
        session().rollback()
        group = lookups.vpn_group_for(session(), actor(), ref, "pool.write")
        return make_response(_form(group, request.form, _beside(refusal)), refusal.status)
    flash(_("The group %(name)s was changed; its gateway is told now.", name=changed.name), "good")
    return redirect(url_for("console.vpn_gateway", ref=changed.pool.code))


def delete(ref: UUID) -> Redirect | Response:
    """Close a group that carries no accounts"""
    group = lookups.vpn_group_for(session(), actor(), ref, "pool.write")
    name, gateway = group.name, group.pool.code
    try:
        service.delete(session(), actor(), ref)
    except InUse as refusal:
        session().rollback()
        group = lookups.vpn_group_for(session(), actor(), ref, "pool.write")
        return make_response(_form(group, vpn_group_form.of(group), {"group": errors.message(refusal)}), refusal.status)
    flash(_("The group %(name)s was closed.", name=name), "good")
    return redirect(url_for("console.vpn_gateway", ref=gateway))


def _beside(refusal: Refusal) -> dict[str, str]:
    """Return a refusal beside the field that it is about, or at the head of the form."""
    said = str(refusal.values.get("field") or refusal.values.get("noun") or "group").partition(".")[0]
    known = {"cidr", "prefix", "networks", "gateway", "department", "system"}
    name = {"pool": "gateway"}.get(said, said)
    words = str(refusal.values["reason"]) if "reason" in refusal.values else errors.message(refusal)
    return {name if name in known else "group": words}


def _new(given: Mapping[str, str], problems: Mapping[str, str]) -> str:
    department = vm_fields.department(given.get("department", "").strip())
    systems = vm_fields.systems(department) if department else []
    return render_template(
        "vpn/group.html",
        group=None,
        form=given,
        problems=problems,
        gateways=[("", _("Choose one.")), *places.pools_of(KIND)],
        systems=[("", _("All of the department")), *systems],
    )


def _form(group: Any, given: Mapping[str, str], problems: Mapping[str, str]) -> str:
    title = f"{called(group.department)} · {called(group.system)}" if group.system else called(group.department)
    return render_template("vpn/group.html", group=group, title_of=title, form=given, problems=problems)
