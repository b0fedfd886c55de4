"""What a security administrator watches: which role may do what, the rules of the way in, who is in, who is locked."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response as Redirect

from controlplane import accounts
from controlplane.entrance import Rules
from controlplane.paging import Listing, Page
from controlplane.policy import ROLES, allows, authorize, table
from controlplane.services import sessions as service
from web.act_words import right_word
from web.console.lists import Column, Table, file, shown
from web.console.returning import local
from web.context import actor, arrival, entrance, session
from web.words import role_word


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    for path, name, view, method in (
        ("/policy", "policy", policy, "GET"),
        ("/policy.csv", "policy_csv", policy_file, "GET"),
        ("/security", "security", show, "GET"),
        ("/security.csv", "security_csv", export, "GET"),
        ("/security/sessions/<uuid:ref>/end", "session_end", end, "POST"),
    ):
        pages.add_url_rule(path, name, view, methods=[method])


def policy() -> str:
    """Show which role may do what"""
    authorize(actor(), "policy.read")
    return render_template("policy.html", list={**shown(_policy()), "search": None}, right_word=right_word, roles=ROLES)


def policy_file() -> Response:
    """Show which role may do what, as a file"""
    authorize(actor(), "policy.read")
    return file(_policy())


def show() -> str:
    """Show the rules of the way in, who is in, and who is locked"""
    authorize(actor(), "session.read")
    now = arrival().now
    return render_template(
        "security.html",
        list={**shown(_sessions()), "search": None},
        rules=_said(entrance().rules),
        locked=accounts.locked_names(session(), actor(), entrance(), now),
        may_end=allows(actor(), "session.end"),
        may_see_users=allows(actor(), "user.read"),
        own=actor().user,
        role_word=role_word,
    )


def export() -> Response:
    """List the sessions that go on as a file"""
    authorize(actor(), "session.read")
    return file(_sessions())


def end(ref: UUID) -> Redirect:
    """End a session"""
    service.end(session(), actor(), ref, arrival().now)
    flash(_("The session is ended."), "good")
    return redirect(local(request.form.get("next"), url_for("console.security")))


def _said(rules: Rules) -> list[tuple[str, str, str]]:
    """Return the rules as (what, how it is, the setting that says so)."""
    lock = _("%(tries)s wrong tries", tries=rules.tries)
    locks = _("%(first)s, each further one twice that, at most %(longest)s", first=_time(rules.lock),
              longest=_time(rules.longest_lock))  # fmt: skip
    again = ngettext("the last one", "the last %(num)s", rules.password_history)
    return [
        (_("Least length of a password"), _("%(count)s characters", count=rules.password_length), "PASSWORD_LENGTH"),
        (_("Not to be taken again"), again if rules.password_history else _("none"), "PASSWORD_HISTORY"),
        (_("A password must be changed after"), _time(rules.password_age), "PASSWORD_DAYS"),
        (_("A name is locked after"), lock, "LOCK_AFTER"),
        (_("A lock lasts"), locks, "LOCK_MINUTES, LOCK_LONGEST_MINUTES"),
        (_("Signed out after doing nothing for"), _time(rules.idle), "SESSION_IDLE_MINUTES"),
        (_("Signed out in any case after"), _time(rules.longest), "SESSION_HOURS"),
        (_("Sessions of one user"), str(rules.at_once), "SESSIONS_AT_ONCE"),
        (_("An account that nobody uses is disabled after"), _time(rules.unused), "UNUSED_DAYS"),
        (_("Longest life of a token"), _time(rules.token_life), "TOKEN_DAYS"),
        (_("Second factor"), _("a must for the three administrators"), ""),
    ]


def _time(length: timedelta) -> str:
    if not length:
        return str(_("never"))
    if length % timedelta(days=1) == timedelta(0):
        return str(ngettext("%(num)s day", "%(num)s days", length.days))
    hours, rest = divmod(length, timedelta(hours=1))
    if not rest:
        return str(ngettext("%(num)s hour", "%(num)s hours", hours))
    return str(ngettext("%(num)s minute", "%(num)s minutes", length // timedelta(minutes=1)))


def _sessions() -> Table:
    return Table(
        id="sessions",
        label=_("Who is signed in"),
        endpoint="console.security",
        sort="-signed_in",
        columns=[
            Column("user", _("User name"), lambda s: s.user.username),
            Column("name", _("Name"), lambda s: s.user.name),
            Column("role", _("Role"), lambda s: role_word(s.user.role)),
            Column("signed_in", _("Signed in"), lambda s: s.created_at),
            Column("last_seen", _("Last seen"), lambda s: s.last_seen_at),
            Column("address", _("From"), lambda s: s.address),
            Column("agent", _("Browser"), lambda s: s.agent, at_first=False),
            Column("second_factor", _("Second factor"), lambda s: _("yes") if s.second_factor_at else _("no")),
        ],
        filters=[],
        fetch=_going_on,
        more_filters=(),
        nothing={"title": _("Nobody is signed in"), "advice": "", "url": None, "action": None},
    )


def _going_on(_listing: Listing) -> Page[Any]:
    found = service.of_all(session(), actor(), entrance().rules, arrival().now)
    return Page(found, None, None, len(found))


def _policy() -> Table:
    columns = [Column("action", _("Right"), lambda row: right_word(row["action"]))]
    columns += [Column(role, role_word(role), _may(role)) for role in ROLES]
    columns.append(Column("code", _("Code name"), lambda row: row["action"], at_first=False))
    return Table(
        id="policy",
        label=_("Who may do what"),
        endpoint="console.policy",
        sort="action",
        columns=columns,
        filters=[],
        fetch=lambda _listing: Page(table(), None, None, len(table())),
        more_filters=(),
        nothing={"title": "", "advice": "", "url": None, "action": None},
    )


def _may(role: str) -> Callable[[Any], str]:
    return lambda row: str(_("yes") if row[role] else _("no"))
