"""Departments: the list with what each has used of its quota, the page of one, and setting its limits."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from controlplane import lookups
from controlplane.errors import NotFound, Refusal
from controlplane.paging import Listing, Page
from controlplane.policy import allows, authorize
from controlplane.reports import overview, quota
from controlplane.services import departments as service
from controlplane.services import ingress as rules
from web.console import desk, impact, ingress, limits
from web.console.lists import Column, Filter, Table, file, shown
from web.context import actor, session, trial
from web.words import action_word, called, class_unit, class_word, exact_scale, scale

_SHOWN = 8
"""Systems and departments below that the page of one department names; the lists have them all."""


@dataclass(frozen=True, slots=True)
class Row:
    """A department with its balances by class."""

    id: UUID
    department: Any
    balances: Mapping[str, Any]


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/departments", "departments", index)
    pages.add_url_rule("/departments.csv", "departments_csv", export)
    pages.add_url_rule("/departments/<uuid:ref>", "department", show)
    pages.add_url_rule("/departments/<uuid:ref>/quota", "department_quota", set_limits, methods=["GET", "POST"])
    pages.add_url_rule("/departments/<uuid:ref>/ingress", "department_ingress", let_in, methods=["POST"])
    pages.add_url_rule("/ingress-rules/<uuid:ref>/delete", "ingress_rule_remove", let_in_no_more, methods=["POST"])
    pages.add_url_rule("/departments/<uuid:ref>/quota/impact", "department_quota_impact", impact_of, methods=["POST"])


def index() -> str:
    """List departments"""
    return render_template("departments.html", list=shown(_table()))


def export() -> Response:
    """List departments as a file"""
    return file(_table())


def show(ref: UUID) -> str:
    """Show a department"""
    return _page(ref, request.args.get("tab", "summary"))


def let_in(ref: UUID) -> Response | Redirect:
    """Let something in to all machines of a department"""
    department = lookups.department_for(session(), actor(), ref, "ingress.write")
    problems = ingress.add(ref, request.form)
    if problems:
        return make_response(_page(ref, "ingress", problems), 422)
    flash(_("%(name)s lets it in from now on.", name=called(department)), "good")
    return redirect(url_for("console.department", ref=ref, tab="ingress"))


def let_in_no_more(ref: UUID) -> Redirect:
    """Let something in no longer"""
    department = lookups.ingress_rule_for(session(), actor(), ref, "ingress.write").department_id
    rules.delete(session(), actor(), ref)
    flash(_("The rule is removed."), "good")
    return redirect(url_for("console.department", ref=department, tab="ingress"))


def _page(ref: UUID, tab: str, problems: Mapping[str, str] | None = None) -> str:
    department = lookups.department_for(session(), actor(), ref, "department.read")
    few = Listing(_SHOWN, None, "name", {"department": str(ref)}, counted=True)
    below = replace(few, filters={"parent": str(ref)})
    machines = Listing(_SHOWN, None, "-created_at", {"department": str(ref)}, counted=True)
    return render_template(
        "department.html",
        department=department,
        tab=tab,
        ingress=ingress.of(ref, request.form, problems or {}),
        gauges=_gauges(quota.of_departments(session(), actor(), [ref]).get(ref, ())),
        systems=lookups.systems(session(), actor(), few),
        below=lookups.departments(session(), actor(), below),
        machines=lookups.resources(session(), actor(), "vm", machines),
        states=overview.states(session(), actor(), "vm", ref),
        open_requests=desk.open_requests(ref) if allows(actor(), "request.read") else None,
        history=lookups.history(session(), actor(), ref, 100),
        may_set=allows(actor(), "quota.write"),
        may_ask=allows(actor(), "resource.create"),
        action_word=action_word,
    )


def set_limits(ref: UUID) -> str | Redirect | Response:
    """Set the limits of a department"""
    authorize(actor(), "quota.write")
    department = lookups.department_for(session(), actor(), ref, "quota.write")
    before = _balances(ref)
    if request.method == "GET":
        return _quota_page(department, limits.of(before), limits.Limits(), None)
    asked = limits.read(request.form)
    if asked.problems:
        return make_response(_quota_page(department, request.form, asked, None), 422)
    if request.form.get("preview"):
        found = _impact(ref, asked)
        department = lookups.department_for(session(), actor(), ref, "quota.write")
        return _quota_page(department, request.form, asked, found)
    service.set_quota(session(), actor(), str(ref), asked.changed(before))
    flash(_("The limits of %(name)s were set.", name=called(department)), "good")
    return redirect(url_for("console.department", ref=ref))


def impact_of(ref: UUID) -> str:
    """Say what other limits of a department would change"""
    lookups.department_for(session(), actor(), ref, "quota.write")
    asked = limits.read(request.form)
    found = None if asked.problems else _impact(ref, asked)
    return render_template("parts/limits.html", changes=found, problems=asked.problems)


def _impact(ref: UUID, asked: limits.Limits) -> dict[str, Any]:
    before = _balances(ref)
    wanted = asked.changed(before)
    try:
        with trial() as tried:
            service.set_quota(tried, actor(), str(ref), wanted)
            after = _balances(ref)
    except Refusal as refusal:
        return {"refused": impact.refused(refusal), "lines": []}
    lines = []
    for name in (c for c in impact.ORDER if c in after):
        then, now = before.get(name), after[name]
        old = then.limit if then else 0
        divisor, unit = exact_scale(name, old, now.limit, now.used, now.held)
        line = {"label": class_word(name), "unit": unit, "divisor": divisor, "before": old, "after": now.limit}
        lines.append(line | {"used": now.used, "held": now.held, "left": now.left, "changed": name in wanted})
    return {"refused": None, "lines": lines}


def _quota_page(department: Any, form: Any, asked: limits.Limits, found: dict[str, Any] | None) -> str:
    return render_template(
        "department_quota.html",
        department=department,
        form=form,
        problems=asked.problems,
        changes=found,
        fields=limits.FIELDS,
        class_word=class_word,
        class_unit=class_unit,
    )


def _balances(ref: UUID) -> dict[str, Any]:
    return {b.resource_class: b for b in quota.of_departments(session(), actor(), [ref]).get(ref, ())}


def _gauges(balances: Any) -> list[dict[str, Any]]:
    by_class = {b.resource_class: b for b in balances}
    gauges = []
    for name in (c for c in impact.ORDER if c in by_class):
        balance = by_class[name]
        divisor, unit = scale(name, balance.limit, balance.used, balance.held)
        gauges.append({"label": class_word(name), "unit": unit, "divisor": divisor, "gauge": balance})
    return gauges


def _fetch(listing: Listing) -> Page[Row]:
    """Read a page of departments and all their balances: two queries, however many rows."""
    found = lookups.departments(session(), actor(), listing)
    balances = quota.of_departments(session(), actor(), [d.id for d in found.items])
    rows = [Row(d.id, d, {b.resource_class: b for b in balances.get(d.id, ())}) for d in found.items]
    return Page(rows, found.next, found.previous, found.total)


def _amount(name: str, part: str) -> Any:
    def value(row: Row) -> object:
        balance = row.balances.get(name)
        if balance is None:
            return None
        return _("No limit") if part == "limit" and balance.limit is None else getattr(balance, part)

    return value


def _table() -> Table:
    columns = [
        Column("name", _("Name"), lambda r: called(r.department), sortable=True),
        Column("code", _("Code name"), lambda r: r.department.code, sortable=True, at_first=False),
        Column("site", _("Site"), lambda r: called(r.department.site)),
        Column(
            "parent",
            _("Above it"),
            lambda r: called(r.department.parent) if r.department.parent else None,
            at_first=False,
        ),
    ]
    for name, unit in (("vm", _("VMs")), ("vcpu", _("cores")), ("memory_mib", "MiB"), ("disk_gib", "GiB")):
        columns.append(Column(name, class_word(name), _amount(name, "used"), unit, numeric=True))
        limit = Column(f"{name}_limit", _("%(what)s limit", what=class_word(name)), _amount(name, "limit"), unit)
        columns.append(replace(limit, numeric=True, at_first=False))
    columns.append(Column("created_at", _("Created"), lambda r: r.department.created_at, sortable=True, at_first=False))
    return Table(
        id="departments",
        label=_("Departments"),
        endpoint="console.departments",
        sort="name",
        columns=columns,
        filters=_filters(),
        fetch=_fetch,
        nothing={
            "title": _("No department yet"),
            "advice": _("Departments are set up by the command line or the API; the administrator's guide shows how."),
            "url": None,
            "action": None,
        },
    )


def _filters() -> list[Filter]:
    sites = [
        site
        for level in ("region", "prefecture")
        for site in lookups.sites(session(), actor(), Listing(200, None, "name", {"level": level})).items
    ]
    filters = [Filter("site", _("Site"), [(site.code, called(site)) for site in sites])]
    above = request.args.get("parent", "")
    if above:
        try:
            said = called(lookups.department_for(session(), actor(), above, "department.read"))
        except NotFound:
            said = above
        filters.append(Filter("parent", _("Above it"), said=said))
    return filters
