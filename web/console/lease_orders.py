"""What can be done about the lease of one resource: setting it, asking for more time, keeping it, a legal hold."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import format_date
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from controlplane import lookups
from controlplane.errors import Invalid
from controlplane.lease_stages import coming
from controlplane.policy import allows
from controlplane.services import asking
from controlplane.services import leases as service
from controlplane.services.asking import Drafted
from controlplane.services.leases import Which
from web.console import dates
from web.console.lists import Column, Table, file, shown
from web.console.returning import local
from web.console.things import PAGES, page_of
from web.context import actor, session
from web.lease_words import stage_look, stage_word, step_word
from web.words import called


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    orders: dict[str, Callable[..., Redirect]] = {"lease": set_lease, "extension": ask, "keep": keep, "hold": hold}
    for kind, path in (("vm", "/vms"), ("vpn_account", "/vpn-accounts")):
        for name, view in {**orders, "lift": lift}.items():
            place = f"{path}/<uuid:ref>/{name}"
            pages.add_url_rule(place, f"{PAGES[kind]}_{name}", view, methods=["POST"], defaults={"kind": kind})
    pages.add_url_rule("/holds", "holds", holds)
    pages.add_url_rule("/holds.csv", "holds_csv", holds_export)
    pages.add_url_rule("/holds", "holds_add", add, methods=["POST"])


def lease_of(thing: Any) -> dict[str, Any]:
    """Return what the page of a resource says of its lease, and what its reader may do about it."""
    step = coming(service.policy(session(), actor()), thing.lease_stage, thing.lease_stage_at, thing.lease_until)
    return {
        "word": stage_word(thing.lease_stage),
        "look": stage_look(thing.lease_stage),
        "next": (step_word(step[0]), step[1]) if step and thing.hold_at is None else None,
        "until": dates.day_of(thing.lease_until),
        "contract": dates.day_of(thing.contract_end),
        "today": dates.day_of(datetime.now(UTC)),
        "may_set": allows(actor(), "lease.write"),
        "may_ask": allows(actor(), "request.ask") and not allows(actor(), "lease.write"),
        "may_keep": allows(actor(), "lease.keep"),
    }


def set_lease(ref: UUID, kind: str) -> Redirect:
    """Set when something is to be given back, and when what it is for ends"""
    thing = lookups.resource_for(session(), actor(), kind, ref, "lease.write")
    ends = {}
    for field, before in (("lease_until", thing.lease_until), ("contract_end", thing.contract_end)):
        text = request.form.get(field, "")
        if text != dates.day_of(before):
            ends[field] = dates.end_of(field, text)
    if ends:
        service.set_lease(session(), actor(), Which(kind, ref), ends, datetime.now(UTC))
        flash(_("The lease of %(name)s was set.", name=thing.name), "good")
    else:
        flash(_("Nothing was changed."), "wait")
    return _back(kind, ref)


def ask(ref: UUID, kind: str) -> Redirect:
    """Ask for more time for something"""
    thing = lookups.resource_for(session(), actor(), kind, ref)
    until = dates.end_of("lease_until", request.form.get("lease_until", ""))
    if until is None:
        raise Invalid(field="lease_until", reason=_("A date, as in 2027-12-31."))
    title = _("Extend the lease of %(name)s until %(day)s", name=thing.name, day=format_date(until))
    item = {"do": "extend", "resource": str(thing.id), "until": until.isoformat()}
    drafted = Drafted(title, request.form.get("reason", ""), [item])
    now = datetime.now(UTC)
    made = asking.draft(session(), actor(), thing.department_id, drafted)
    asked = asking.submit(session(), actor(), made.id, now)
    if asked.decided_at is None:
        flash(_("Request %(number)s was handed in: it waits for a decision.", number=asked.number), "good")
    else:
        flash(_("Nobody had to approve it: the lease was extended."), "good")
    return _back(kind, ref)


def keep(ref: UUID, kind: str) -> Redirect:
    """Answer that something is still needed"""
    thing = service.keep(session(), actor(), Which(kind, ref), datetime.now(UTC))
    flash(_("%(name)s is kept until %(day)s.", name=thing.name, day=format_date(thing.kept_until)), "good")
    return redirect(local(request.form.get("next"), page_of(kind, ref)))


def hold(ref: UUID, kind: str) -> Redirect:
    """Put something on legal hold"""
    return _hold(Which(kind, ref))


def add() -> Redirect:
    """Put what was named on legal hold"""
    named = lookups.resource_to_hold(session(), actor(), request.form.get("resource", "").strip())
    return _hold(Which(named.kind, named.id))


def lift(ref: UUID, kind: str) -> Redirect:
    """Lift a legal hold"""
    thing = service.lift(session(), actor(), Which(kind, ref), datetime.now(UTC))
    flash(_("The legal hold of %(name)s was lifted.", name=thing.name), "good")
    return redirect(url_for("console.holds"))


def holds() -> str:
    """List what is on legal hold"""
    return render_template("holds.html", list=shown(_holds()))


def holds_export() -> Any:
    """List what is on legal hold as a file"""
    return file(_holds())


def _hold(which: Which) -> Redirect:
    held = service.hold(session(), actor(), which, request.form.get("reason", ""), datetime.now(UTC))
    flash(_("%(name)s is on legal hold.", name=held.name), "good")
    return redirect(url_for("console.holds"))


def _back(kind: str, ref: UUID) -> Redirect:
    return redirect(page_of(kind, ref))


def _holds() -> Table:
    return Table(
        id="holds",
        label=_("Legal holds"),
        endpoint="console.holds",
        sort="-hold_at",
        columns=[
            Column("name", _("Name"), lambda r: r.name),
            Column("department", _("Department"), lambda r: called(r.department)),
            Column("reason", _("Reason"), lambda r: r.hold_reason),
            Column("by", _("By"), lambda r: r.hold_by),
            Column("hold_at", _("Since"), lambda r: r.hold_at, sortable=True),
        ],
        filters=[],
        fetch=lambda listing: lookups.holds(session(), actor(), listing),
        nothing={
            "title": _("Nothing is on legal hold"),
            "advice": _("What is put on hold is not stopped, rebuilt or deleted, neither by hand nor by its lease."),
            "url": None,
            "action": None,
        },
    )
