"""Leases: the list of what ends, the calendar of it, and the list of what nobody seems to use."""

from calendar import Calendar
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request
from flask_babel import get_timezone
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from controlplane import lookups
from controlplane.errors import Invalid
from controlplane.lease_stages import STAGES
from controlplane.paging import Listing, Page
from controlplane.policy import allows
from web.console import choosing, dates
from web.console.lists import Column, Filter, Table, file, shown
from web.context import actor, session
from web.lease_words import stage_look, stage_word
from web.words import called, state_word

_WITHIN = (7, 30, 90, 365)
_YEARS = (2000, 2999)


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/leases", "leases", index)
    pages.add_url_rule("/leases.csv", "leases_csv", export)
    pages.add_url_rule("/leases/calendar", "leases_calendar", calendar)
    pages.add_url_rule("/unused", "unused", unused)
    pages.add_url_rule("/unused.csv", "unused_csv", unused_export)


def index() -> str | Redirect:
    """List what has a lease"""
    moved = choosing.canonical("console.leases")
    return redirect(moved) if moved else render_template("leases.html", list=shown(_leases()), **_frame())


def export() -> Response:
    """List what has a lease as a file"""
    return file(_leases())


def calendar() -> str:
    """Show a month, with how much ends on each day"""
    month = _month()
    weeks = Calendar().monthdatescalendar(month.year, month.month)
    first, count = weeks[0][0], 7 * len(weeks)
    ends = lookups.ends_by_day(session(), actor(), dates.days(first, count), str(get_timezone()))
    return render_template(
        "leases_calendar.html",
        month=month,
        weeks=weeks,
        ends=ends,
        today=datetime.now(get_timezone()).date(),
        before=(month - timedelta(days=1)).strftime("%Y-%m"),
        after=(month + timedelta(days=31)).strftime("%Y-%m"),
        **_frame(),
    )


def unused() -> str | Redirect:
    """List what nobody seems to use"""
    moved = choosing.canonical("console.unused")
    return redirect(moved) if moved else render_template("unused.html", list=shown(_unused()), **_frame())


def unused_export() -> Response:
    """List what nobody seems to use as a file"""
    return file(_unused())


def _frame() -> dict[str, Any]:
    return {
        "may_set": allows(actor(), "lease.write"),
        "may_keep": allows(actor(), "lease.keep"),
        "stage_word": stage_word,
        "stage_look": stage_look,
    }


def _month() -> date:
    """Return the first day of the month that is asked for; of this one where nothing that is one was asked for."""
    today = datetime.now(get_timezone()).date()
    try:
        asked = date.fromisoformat(f"{request.args.get('month', '')}-01")
    except ValueError:
        return today.replace(day=1)
    return asked if _YEARS[0] < asked.year < _YEARS[1] else today.replace(day=1)


def _fetch(listing: Listing) -> Page[Any]:
    """Read a page; a day at the site is two instants."""
    filters = dict(listing.filters)
    day = filters.pop("day", None)
    if day:
        try:
            first, last = dates.days(date.fromisoformat(day), 1)
        except (ValueError, OverflowError):
            raise Invalid(field="day", reason=_("A date, as in 2027-12-31.")) from None
        filters |= {"from": first.isoformat(), "to": last.isoformat()}
    return lookups.leases(session(), actor(), replace(listing, filters=filters), datetime.now(UTC))


def _of_anything() -> list[Column]:
    return [
        Column("name", _("Name"), lambda r: r.name),
        Column("department", _("Department"), lambda r: called(r.department)),
        Column("system", _("System"), lambda r: called(r.system) if r.system else None),
        Column("state", _("State"), lambda r: state_word(r.state)),
    ]


def _leases() -> Table:
    return Table(
        id="leases",
        label=_("Leases"),
        endpoint="console.leases",
        sort="lease_until",
        columns=[
            *_of_anything(),
            Column("lease_until", _("Lease until"), lambda r: r.lease_until, sortable=True),
            Column("stage", _("Stage"), lambda r: stage_word(r.lease_stage)),
            Column("contract_end", _("End of contract"), lambda r: r.contract_end),
            Column("hold", _("Legal hold"), lambda r: r.hold_reason),
        ],
        filters=[
            Filter("within", _("Ends within"), [(str(n), _("%(days)s days", days=n)) for n in _WITHIN]),
            Filter("stage", _("Stage"), [(stage, stage_word(stage)) for stage in STAGES]),
            Filter("day", _("Day"), typed="date"),
            Filter("held", _("Legal hold"), [("true", _("On hold")), ("false", _("Not on hold"))]),
            *([choosing.filter_of_departments()] if actor().scope is None or len(actor().scope or ()) > 1 else []),
        ],
        fetch=_fetch,
        nothing={
            "title": _("Nothing has a lease"),
            "advice": _("What is asked for with an end, or is given one, stands here until it is given back."),
            "url": None,
            "action": None,
        },
    )


def _unused() -> Table:
    return Table(
        id="unused",
        label=_("Unused"),
        endpoint="console.unused",
        sort="state_since",
        columns=[
            *_of_anything(),
            Column("state_since", _("Since"), lambda r: r.state_since, sortable=True),
            Column("answer_by", _("Answer by"), lambda r: r.unused_answer_by),
            Column("kept_until", _("Kept until"), lambda r: r.kept_until),
        ],
        filters=[
            Filter("reason", _("Why"), [("stopped", _("Stopped for long")), ("ownerless", _("Of no system"))]),
            *([choosing.filter_of_departments()] if actor().scope is None or len(actor().scope or ()) > 1 else []),
        ],
        fetch=lambda listing: lookups.unused(session(), actor(), listing, datetime.now(UTC)),
        nothing={
            "title": _("Nothing seems unused"),
            "advice": _("What was stopped for long or serves no system is listed here, and its department is asked."),
            "url": None,
            "action": None,
        },
    )
