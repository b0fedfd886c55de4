"""One's own account: password, second factor, sessions and tokens. What must be done first is done here too."""

from datetime import timedelta
from uuid import UUID

import segno
from flask import (
    Blueprint,
    Response,
    current_app,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask_babel import gettext as _
from markupsafe import Markup
from werkzeug.wrappers import Response as Redirect

from controlplane.errors import Refusal, WrongCredentials
from controlplane.policy import ACTIONS, allows, authorize
from controlplane.services import api_tokens, notifications, own_account, second_factor, sessions, sign_in
from controlplane.services.api_tokens import NewToken
from controlplane.telling.events import CATEGORIES
from web import auth, errors
from web.console.returning import local
from web.context import arrival, entrance, keep
from web.context import session as records
from web.telling_words import category_word

DAYS = (7, 30, 90, 180, 365)


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    for path, name, view, method in (
        ("/account", "account", show, "GET"),
        ("/account/mail", "account_mail", choose_mail, "POST"),
        ("/account/password", "password", password_form, "GET"),
        ("/account/password", "password_change", change_password, "POST"),
        ("/account/second-factor", "enrol", enrol_form, "GET"),
        ("/account/second-factor", "enrol_confirm", enrol, "POST"),
        ("/account/second-factor/codes", "account_codes", renew_codes, "POST"),
        ("/account/second-factor/give-up", "account_give_up", give_up, "POST"),
        ("/account/sessions/<uuid:ref>/end", "account_end", end, "POST"),
        ("/account/tokens", "account_token", make_token, "POST"),
        ("/account/tokens/<uuid:ref>/revoke", "account_revoke", revoke, "POST"),
    ):
        pages.add_url_rule(path, name, view, methods=[method])


def show() -> str:
    """Show one's own account"""
    found, now = auth.signed_in(), arrival().now
    user = own_account.account(records(), found.actor)
    return render_template(
        "account.html",
        user=user,
        here=found.id,
        sessions=sessions.own(records(), found.actor, entrance().rules, now),
        tokens=[t for t in api_tokens.tokens(records(), found.actor) if t.user_id == user.id and not t.revoked_at],
        days=[d for d in DAYS if timedelta(days=d) <= entrance().rules.token_life],
        actions=[action for action in ACTIONS if allows(found.actor, action)],
        mail=[(name, category_word(name), mail) for name, mail in notifications.wanted(records(), found.actor).items()],
        now=now,
    )


def choose_mail() -> Redirect:
    """Set one's own address, and what one wants by mail"""
    found = auth.signed_in()
    authorize(found.actor, "account.own")
    chosen = set(request.form.getlist("category"))
    try:
        notifications.set_address(records(), found.actor, request.form.get("email", "").strip() or None)
        notifications.want(records(), found.actor, {category: category in chosen for category in CATEGORIES})
    except Refusal as refusal:
        return _back(refusal)
    flash(_("What you get by mail is kept."), "good")
    return redirect(url_for("console.account"))


def password_form() -> str:
    """Ask for another password"""
    return _password_page()


def change_password() -> Redirect | Response:
    """Change one's own password"""
    found, now = auth.signed_in(), arrival().now
    user = own_account.account(records(), found.actor)
    wanted = request.form.get("wanted", "")
    if wanted != request.form.get("again", ""):
        return make_response(_password_page({"again": _("This is not the same as above.")}), 422)
    change = (request.form.get("present", ""), wanted)
    try:
        with entrance().places.one():
            sign_in.count(records(), entrance(), user.username, arrival())
            keep()
            own_account.change_password(records(), entrance(), found.actor, found.id, change, now)
    except Refusal as refusal:
        where = "present" if isinstance(refusal, WrongCredentials) else "wanted"
        said = _("This is not your present password.") if where == "present" else errors.message(refusal)
        return make_response(_password_page({where: said}), refusal.status)
    flash(_("Your password is changed. Your sessions elsewhere are ended."), "good")
    return redirect(_on())


def enrol_form() -> str | Redirect:
    """Offer a second factor"""
    user = own_account.account(records(), auth.signed_in().actor)
    return redirect(url_for("console.account")) if user.totp_enrolled_at else _enrol_page()


def enrol() -> str | Response:
    """Set the second factor up"""
    found = auth.signed_in()
    authorize(found.actor, "account.own")
    try:
        _count()
        code = request.form.get("code", "")
        codes = second_factor.enrol(records(), entrance(), found.actor, found.id, code, arrival().now)
    except Refusal as refusal:
        records().rollback()
        return make_response(_enrol_page(errors.message(refusal)), refusal.status)
    return render_template("recovery_codes.html", codes=codes, next=_on())


def renew_codes() -> str | Redirect:
    """Replace the recovery codes"""
    found = auth.signed_in()
    authorize(found.actor, "account.own")
    try:
        _count()
        code = request.form.get("code", "")
        codes = second_factor.renew_codes(records(), entrance(), found.actor, code, arrival().now)
    except Refusal as refusal:
        return _back(refusal)
    return render_template("recovery_codes.html", codes=codes, next=url_for("console.account"))


def give_up() -> Redirect:
    """Take the second factor away, to set up another"""
    found = auth.signed_in()
    authorize(found.actor, "account.own")
    try:
        _count()
        second_factor.give_up(records(), entrance(), found.actor, request.form.get("code", ""), arrival().now)
    except Refusal as refusal:
        return _back(refusal)
    return redirect(url_for("console.enrol"))


def end(ref: UUID) -> Redirect:
    """End one of one's own sessions"""
    sessions.end(records(), auth.signed_in().actor, ref, arrival().now)
    flash(_("The session is ended."), "good")
    return redirect(url_for("console.account"))


def make_token() -> str | Redirect:
    """Make a token for oneself"""
    found, now, days = auth.signed_in(), arrival().now, request.form.get("days", "")
    actions = tuple(request.form.getlist("action")) or None
    expires = now + timedelta(days=int(days)) if days.isascii() and days.isdigit() and len(days) <= 4 else None
    new = NewToken(request.form.get("name", "").strip() or "token", None, None, actions, expires)
    try:
        token, secret = api_tokens.create(records(), found.actor, entrance().rules, new, now)
    except Refusal as refusal:
        return _back(refusal)
    return render_template("token_made.html", token=token, secret=secret)


def revoke(ref: UUID) -> Redirect:
    """End one of one's own tokens"""
    api_tokens.revoke(records(), auth.signed_in().actor, ref, arrival().now)
    flash(_("The token is revoked."), "good")
    return redirect(url_for("console.account"))


def _password_page(problems: dict[str, str] | None = None) -> str:
    records().rollback()
    found = auth.signed_in()
    user = own_account.account(records(), found.actor)
    must = found.step == "password"
    least = entrance().rules.password_length
    return render_template("password.html", user=user, must=must, least=least, problems=problems or {})


def _enrol_page(error: str = "") -> str:
    found = auth.signed_in()
    issuer = current_app.config["CENTRE_NAME"]
    secret, address = second_factor.offered(records(), entrance(), found.actor, issuer)
    keep()
    drawn = segno.make(address, error="m").svg_inline(scale=4, border=2, omitsize=False, svgclass=None, lineclass=None)
    picture = Markup(drawn)  # noqa: S704 - drawn here, of squares alone
    words = " ".join(secret[i : i + 4] for i in range(0, len(secret), 4))
    must = found.step == "enrol"
    return render_template("enrol.html", picture=picture, secret=words, must=must, error=error)


def _count() -> None:
    second_factor.count(records(), entrance(), auth.signed_in().id, arrival())
    keep()


def _on() -> str:
    return local(session.pop("next", None))


def _back(refusal: Refusal) -> Redirect:
    records().rollback()
    flash(errors.message(refusal), "bad")
    return redirect(url_for("console.account"))
