"""Users: the list, making one, the page of one, and what others may do to an account."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from pydantic import ValidationError
from werkzeug.wrappers import Response as Redirect

from controlplane import accounts
from controlplane.errors import NotFound, Refusal
from controlplane.policy import OF_DEPARTMENTS, ROLES, allows, authorize
from controlplane.services import api_tokens, leavers, sessions
from controlplane.services import users as service
from controlplane.services.users import NewUser
from web import errors
from web.console import choosing
from web.console.lists import Column, Filter, Table, file, shown
from web.context import actor, arrival, entrance, identity_of, provider, session
from web.schemas import UserBody
from web.words import called, role_word

_LONGEST_VERSION = 9


@dataclass(frozen=True, slots=True)
class Verb:
    """Something that is done to an account. `typed`: it cannot be undone, so the user name must be typed for it."""

    label: Callable[[], str]
    icon: str
    typed: bool = False


VERBS = {
    "disable": Verb(lambda: _("Disable"), "ban"),
    "enable": Verb(lambda: _("Enable"), "check"),
    "reset_password": Verb(lambda: _("Reset the password"), "key"),
    "reset_second_factor": Verb(lambda: _("Reset the second factor"), "shield-lock", typed=True),
    "remove": Verb(lambda: _("Remove who leaves"), "trash", typed=True),
}


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    for path, name, view, method in (
        ("/users", "users", index, "GET"),
        ("/users.csv", "users_csv", export, "GET"),
        ("/users/new", "user_new", new, "GET"),
        ("/users/new", "user_create", create, "POST"),
        ("/users/<uuid:ref>", "user", show, "GET"),
        ("/users/<uuid:ref>", "user_change", change, "POST"),
        ("/users/<uuid:ref>/<verb>", "user_confirm", confirm, "GET"),
        ("/users/<uuid:ref>/<verb>", "user_act", act, "POST"),
    ):
        pages.add_url_rule(path, name, view, methods=[method])


def index() -> str | Redirect:
    """List users"""
    moved = choosing.canonical("console.users")
    if moved:
        return redirect(moved)
    may_make = allows(actor(), "user.write")
    return render_template("users.html", list=shown(_table()), may_make=may_make, role_word=role_word)


def export() -> Response:
    """List users as a file"""
    return file(_table())


def new() -> str:
    """Offer the form for a new user"""
    authorize(actor(), "user.write")
    return _form({}, {})


def create() -> str | Response:
    """Make a user, and show the first password this once"""
    authorize(actor(), "user.write")
    given = {name: value.strip() for name, value in request.form.items() if value.strip()}
    asked, problems = _read(given)
    if asked is None:
        return make_response(_form(given, problems), 422)
    try:
        made, password = service.create(session(), actor(), asked)
    except Refusal as refusal:
        session().rollback()
        where = "department" if isinstance(refusal, NotFound) else refusal.values.get("field", "username")
        return make_response(_form(given, {where: errors.message(refusal)}), refusal.status)
    if password is None:
        program = _("%(name)s is made. What a program comes in with are its tokens.", name=made.username)
        person = _("%(name)s is made and comes in through the identity provider.", name=made.username)
        flash(program if made.service else person, "good")
        return make_response(redirect(url_for("console.user", ref=made.id)))
    return render_template("user_password.html", user=made, password=password)


def show(ref: UUID) -> str:
    """Show a user"""
    found = accounts.user_for(session(), actor(), ref)
    now = arrival().now
    may_end, may_see = allows(actor(), "session.end"), allows(actor(), "session.read")
    return render_template(
        "user.html",
        user=found,
        locked=accounts.locked_until(session(), entrance(), found),
        sessions=sessions.of_all(session(), actor(), entrance().rules, now, found.id) if may_see else None,
        tokens=api_tokens.of_user(session(), actor(), found) if allows(actor(), "token.read") else None,
        now=now,
        managed=_may_change(found),
        verbs={name: (verb.label(), verb.icon) for name, verb in VERBS.items() if _possible(name, found)},
        roles=_roles() if allows(actor(), "role.grant") else [],
        linkable=provider() is not None and found.disabled_reason != "left" and not found.service,
        may_end=may_end,
        may_revoke=allows(actor(), "token.revoke"),
        may_audit=allows(actor(), "audit.read"),
        role_word=role_word,
    )


def change(ref: UUID) -> Redirect:
    """Give a user another role, or another department"""
    authorize(actor(), "role.grant")
    found = accounts.user_for(session(), actor(), ref, "user.write")
    role, typed = request.form.get("role", found.role), request.form.get("department", "")
    department = choosing.department(typed).code if role in OF_DEPARTMENTS and typed.strip() else None
    values = {"role": role if role in ROLES else found.role, "department": department}
    service.update(session(), actor(), ref, values, _version())
    flash(_("%(name)s is %(role)s now.", name=found.username, role=role_word(found.role)), "good")
    return redirect(url_for("console.user", ref=ref))


def confirm(ref: UUID, verb: str) -> str:
    """Say what something done to a user would mean"""
    found = accounts.user_for(session(), actor(), ref, "user.write")
    return _confirm(found, verb)


def act(ref: UUID, verb: str) -> str | Response | Redirect:
    """Disable, enable, reset or remove a user"""
    found = accounts.user_for(session(), actor(), ref, "user.write")
    if verb not in VERBS:
        raise NotFound(noun="action", name=verb)
    if VERBS[verb].typed and request.form.get("word", "").strip() != found.username:
        return make_response(_confirm(found, verb, wrong=True), 422)
    if verb == "reset_password":
        found, password = service.reset_password(session(), actor(), entrance(), ref)
        return render_template("user_password.html", user=found, password=password)
    said = _done(ref, verb)
    flash(said, "good")
    return redirect(url_for("console.user", ref=ref))


def _done(ref: UUID, verb: str) -> str:
    if verb == "disable":
        name = leavers.disable(session(), actor(), ref).username
        return str(_("%(name)s is disabled.", name=name))
    if verb == "enable":
        name = leavers.enable(session(), actor(), ref).username
        return str(_("%(name)s may come in again.", name=name))
    if verb == "reset_second_factor":
        name = service.reset_second_factor(session(), actor(), ref).username
        return str(_("The second factor of %(name)s is forgotten.", name=name))
    name = leavers.remove_leaver(session(), actor(), ref).username
    return str(_("%(name)s is removed, with sessions, tokens, password and second factor.", name=name))


def _confirm(found: Any, verb: str, *, wrong: bool = False) -> str:
    if verb not in VERBS:
        raise NotFound(noun="action", name=verb)
    known = VERBS[verb]
    return render_template(
        "user_confirm.html",
        user=found,
        verb=verb,
        label=known.label(),
        icon_name=known.icon,
        word=found.username if known.typed else None,
        wrong=wrong,
        role_word=role_word,
    )


def _possible(verb: str, found: Any) -> bool:
    """Tell whether something makes sense for an account as it is."""
    left, disabled = found.disabled_reason == "left", found.disabled_at is not None
    if left:
        return False
    return {
        "disable": not disabled,
        "enable": disabled,
        "reset_password": not found.service and (found.password_hash is not None or found.identity_issuer is None),
        "reset_second_factor": found.totp_enrolled_at is not None,
    }.get(verb, True)


def _may_change(found: Any) -> bool:
    """Tell whether the reader may change an account; for showing alone, the service decides."""
    own = found.id == actor().user
    below = found.role == "department_member" or allows(actor(), "role.grant")
    return allows(actor(), "user.write") and below and not own


def _roles() -> list[tuple[str, str]]:
    return [(role, role_word(role)) for role in ROLES]


def _read(given: dict[str, str]) -> tuple[NewUser | None, dict[str, str]]:
    """Return the user that a form asks for, or what is wrong with which of its fields."""
    role, department = given.get("role", "department_member"), None
    if role in OF_DEPARTMENTS:
        typed = given.get("department", "")
        own = actor().department
        try:
            department = choosing.department(typed or str(own or "-")).code
        except NotFound as refusal:
            return None, {"department": errors.message(refusal)}
    body = {name: given.get(name) for name in ("username", "name", "login", "email")} | {
        "role": role,
        "department": department,
    }
    try:
        read = UserBody.model_validate({**body, "service": "service" in given})
    except ValidationError as error:
        said = {
            "username": _("Small letters, digits, dots, dashes and underlines; the first a letter or digit."),
            "name": _("Say whose account it is."),
            "email": _("This is no address of a mailbox."),
        }
        fields = {str(problem["loc"][0]) for problem in error.errors()}
        return None, {field: said.get(field, _("Choose one.")) for field in fields}
    identity = identity_of(None, read.login) if read.login else None
    return NewUser(**read.model_dump(exclude={"login"}), identity=identity), {}


def _form(given: dict[str, str], problems: dict[str, str]) -> str:
    grants = allows(actor(), "role.grant")
    return render_template(
        "user_new.html",
        form=given,
        problems=problems,
        roles=_roles() if grants else [("department_member", role_word("department_member"))],
        linkable=grants and provider() is not None,
        of_one=actor().scope is not None and len(actor().scope or ()) == 1,
    )


def _version() -> int | None:
    shown_version = request.form.get("version", "")
    plain = shown_version.isascii() and shown_version.isdigit() and len(shown_version) <= _LONGEST_VERSION
    return int(shown_version) if plain else None


def _state(user: Any) -> str:
    if user.disabled_at is None:
        return str(_("Active"))
    words = {"left": _("Left"), "unused": _("Disabled, not used")}
    return str(words.get(user.disabled_reason, _("Disabled")))


def _table() -> Table:
    roles = Filter("role", _("Role"), _roles())
    kinds = Filter("service", _("Of whom"), [("false", _("People")), ("true", _("Programs"))])
    states = Filter("disabled", _("State"), [("false", _("Active")), ("true", _("Disabled"))])
    whole = actor().scope is None
    return Table(
        id="users",
        label=_("Users"),
        endpoint="console.users",
        sort="username",
        columns=[
            Column("username", _("User name"), lambda u: u.username, sortable=True),
            Column("name", _("Name"), lambda u: u.name, sortable=True),
            Column("role", _("Role"), lambda u: role_word(u.role)),
            Column("department", _("Department"), lambda u: called(u.department) if u.department else None),
            Column("state", _("State"), _state),
            Column("second_factor", _("Second factor"), lambda u: _("yes") if u.totp_enrolled_at else _("no")),
            Column("last_sign_in_at", _("Last sign-in"), lambda u: u.last_sign_in_at),
            Column("email", _("E-mail address"), lambda u: u.email, at_first=False),
            Column("service", _("Program"), lambda u: _("yes") if u.service else _("no"), at_first=False),
            Column("networks", _("Allowed networks"), lambda u: ", ".join(u.networks), at_first=False),
            Column("created_at", _("Created"), lambda u: u.created_at, sortable=True, at_first=False),
        ],
        filters=[roles, states, kinds, *([choosing.filter_of_departments()] if whole else [])],
        fetch=lambda listing: accounts.users(session(), actor(), listing),
        nothing={"title": _("No user yet"), "advice": "", "url": url_for("console.user_new"), "action": _("New user")},
    )
