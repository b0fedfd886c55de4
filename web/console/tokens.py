"""Tokens of people and programs: the list, making one for a program, revoking one."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from controlplane import accounts
from controlplane.errors import Refusal
from controlplane.paging import MAX_LIMIT, Listing
from controlplane.policy import ACTIONS, OF_DEPARTMENTS, allows, authorize
from controlplane.services import api_tokens as service
from controlplane.services.api_tokens import NewToken
from web import errors
from web.act_words import right_word
from web.console import choosing
from web.console.lists import Column, Filter, Table, file, shown
from web.console.own_account import DAYS
from web.console.returning import local
from web.context import actor, arrival, entrance, session
from web.words import called


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    for path, name, view, method in (
        ("/tokens", "tokens", index, "GET"),
        ("/tokens.csv", "tokens_csv", export, "GET"),
        ("/tokens/new", "token_new", new, "GET"),
        ("/tokens/new", "token_create", create, "POST"),
        ("/tokens/<uuid:ref>/revoke", "token_revoke", revoke, "POST"),
    ):
        pages.add_url_rule(path, name, view, methods=[method])


def index() -> str:
    """List tokens"""
    authorize(actor(), "token.read")
    return render_template(
        "tokens.html",
        list=shown(_table()),
        now=arrival().now,
        may_make=allows(actor(), "user.write"),
        may_revoke=allows(actor(), "token.revoke"),
        may_see_users=allows(actor(), "user.read"),
        state=_state,
    )


def export() -> Response:
    """List tokens as a file"""
    authorize(actor(), "token.read")
    return file(_table())


def new() -> str:
    """Offer the form for a program's token"""
    authorize(actor(), "user.write")
    return _form({}, {}, ())


def create() -> str | Response:
    """Make a program's token, and show its secret this once"""
    authorize(actor(), "user.write")
    given = {name: value.strip() for name, value in request.form.items()}
    actions, now = tuple(request.form.getlist("action")), arrival().now
    problems = {name: _("Choose one.") for name in ("user", "name") if not given.get(name)}
    if problems:
        return make_response(_form(given, problems, actions), 422)
    days = given.get("days", "")
    life = timedelta(days=int(days)) if days.isascii() and days.isdigit() and len(days) <= 4 else service.USUAL_LIFE
    try:
        department = choosing.department(given["department"]).code if given.get("department") else None
        asked = NewToken(given["name"], given["user"], department, actions or None, now + life)
        token, secret = service.create(session(), actor(), entrance().rules, asked, now)
    except Refusal as refusal:
        session().rollback()
        where = refusal.values.get("field") or ("department" if refusal.values.get("noun") == "department" else "user")
        return make_response(_form(given, {where: errors.message(refusal)}, actions), refusal.status)
    return render_template("token_made.html", token=token, secret=secret, of_others=True)


def revoke(ref: UUID) -> Redirect:
    """End a token at once"""
    service.revoke(session(), actor(), ref, arrival().now)
    flash(_("The token is revoked."), "good")
    return redirect(local(request.form.get("next"), url_for("console.tokens")))


def _form(given: dict[str, str], problems: dict[str, str], chosen: tuple[str, ...]) -> str:
    programs = accounts.users(
        session(), actor(), Listing(MAX_LIMIT, None, "username", {"service": "true", "disabled": "false"})
    )
    return render_template(
        "token_new.html",
        form=given,
        problems=problems,
        chosen=chosen,
        programs=[(u.username, f"{u.username} ({u.name})") for u in programs.items if _may_have(u)],
        days=[d for d in DAYS if timedelta(days=d) <= entrance().rules.token_life],
        actions=[(action, right_word(action)) for action in ACTIONS],
        of_one=actor().scope is not None and len(actor().scope or ()) == 1,
    )


def _may_have(program: Any) -> bool:
    """Tell whether the reader may make tokens of a program; for offering alone, the service decides."""
    if program.role in OF_DEPARTMENTS:
        return program.role == "department_member" or allows(actor(), "role.grant")
    return not program.role.endswith("_admin") and allows(actor(), "role.grant")


def _state(token: Any) -> str:
    if token.revoked_at is not None:
        return str(_("Revoked"))
    return str(_("Ended") if token.expires_at <= arrival().now else _("Good"))


def _table() -> Table:
    return Table(
        id="tokens",
        label=_("Tokens"),
        endpoint="console.tokens",
        sort="-created_at",
        columns=[
            Column("name", _("Name"), lambda t: t.name, sortable=True),
            Column("user", _("User name"), lambda t: t.user.username),
            Column("department", _("Department"), lambda t: called(t.department) if t.department else None),
            Column("actions", _("Actions"), lambda t: _actions(t.actions)),
            Column("state", _("State"), _state),
            Column("expires_at", _("Ends"), lambda t: t.expires_at, sortable=True),
            Column("last_used_at", _("Last used"), lambda t: t.last_used_at),
            Column("created_at", _("Created"), lambda t: t.created_at, sortable=True, at_first=False),
        ],
        filters=[Filter("live", _("State"), [("true", _("Good")), ("false", _("Ended or revoked"))])],
        fetch=lambda listing: service.listed(session(), actor(), listing),
        more_filters=("q", "user"),
        nothing={
            "title": _("No token yet"),
            "advice": _("People make tokens for themselves under My account; those of programs are made here."),
            "url": None,
            "action": None,
        },
    )


def _actions(actions: Any) -> str:
    return _("; ").join(right_word(a) for a in actions) if actions else str(_("all of its owner"))
