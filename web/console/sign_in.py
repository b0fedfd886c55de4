"""Coming in with password and second factor, going out, and the language to read in."""

from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from controlplane import binding
from controlplane.entrance import Arrival
from controlplane.errors import Refusal, SignInBusy, SignInLocked, WrongCode, WrongCredentials, WrongNetwork
from controlplane.policy import authorize
from controlplane.services import second_factor, sessions, sign_in
from controlplane.sign_ins import Admitted
from web import auth, errors, known_browsers
from web.console.returning import local
from web.context import arrival, entrance, keep, provider
from web.context import session as records
from web.language import choose


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/sign-in", "sign_in", form, methods=["GET"])
    pages.add_url_rule("/sign-in", "enter", enter, methods=["POST"])
    pages.add_url_rule("/second-factor", "second_factor", code_form, methods=["GET"])
    pages.add_url_rule("/second-factor", "second_factor_prove", prove, methods=["POST"])
    pages.add_url_rule("/sign-out", "sign_out", leave, methods=["POST"])
    pages.add_url_rule("/language", "language", language, methods=["POST"])


def form() -> str:
    """Show the sign-in form"""
    return page(next=local(request.args.get("next")), still_in="out" in request.args)


def page(**shown: Any) -> str:
    """Return the sign-in page, with a button for the identity provider where there is one."""
    known = provider()
    label = (known.configuration.label or _("Single sign-on")) if known else None
    return render_template("login.html", provider=label, **shown)


def enter() -> Redirect | Response:
    """Sign in"""
    username, back = request.form.get("user", "").strip(), local(request.form.get("next"))
    try:
        admitted = _try_password(username, request.form.get("password", ""))
    except (WrongCredentials, SignInLocked, SignInBusy, WrongNetwork) as refusal:
        return refused(page(error=errors.message(refusal), user=username, next=back), refusal)
    auth.remember(admitted.secret, back)
    return known_browsers.keep(redirect(back), admitted.mark)


def code_form() -> str | Redirect:
    """Ask for the second factor"""
    authorize(auth.signed_in().actor, "account.own")
    if auth.signed_in().step != "second_factor":
        return redirect(url_for("console.home"))
    return render_template("second_factor.html")


def prove() -> Redirect | Response:
    """Show the second factor"""
    authorize(auth.signed_in().actor, "account.own")
    back = local(session.get("next"))
    if auth.signed_in().step != "second_factor":
        return redirect(back)
    try:
        admitted = _try_code(request.form.get("code", ""))
    except (WrongCode, SignInLocked) as refusal:
        return refused(render_template("second_factor.html", error=errors.message(refusal)), refusal)
    auth.remember(admitted.secret, back)
    return known_browsers.keep(redirect(back), admitted.mark)


def leave() -> Redirect:
    """Sign out"""
    found = auth.signed_in()
    issuer, known = sessions.leave(records(), found.actor, found.id, arrival().now), provider()
    auth.forget()
    still_in = known is not None and issuer == known.configuration.issuer
    return redirect(url_for("console.sign_in", out="1" if still_in else None))


def language() -> Redirect:
    """Choose the language of the console"""
    choose(request.form.get("lang", ""))
    return redirect(local(request.form.get("next")))


def _try_password(username: str, password: str) -> Admitted:
    come = _arrival()
    binding.serve_centre(records())
    sign_in.refuse_locked(records(), entrance(), username, come)
    with entrance().places.one():
        sign_in.count(records(), entrance(), username, come)
        keep()
        try:
            admitted = sign_in.enter(records(), entrance(), username, password, come)
        except WrongNetwork:
            keep()
            raise
    keep()
    if admitted is None:
        raise WrongCredentials
    return admitted


def _try_code(code: str) -> Admitted:
    found = auth.signed_in()
    come = _arrival()
    second_factor.count(records(), entrance(), found.id, come)
    keep()
    admitted = second_factor.prove(records(), entrance(), found.id, code, come)
    keep()
    if admitted is None:
        raise WrongCode
    return admitted


def _arrival() -> Arrival:
    return replace(arrival(), marks=known_browsers.marks())


def refused(shown: str, refusal: Refusal) -> Response:
    """Answer with a page that says why somebody did not come in."""
    answer = make_response(shown, refusal.status)
    if refusal.status == SignInBusy.status:
        answer.headers["Retry-After"] = str(errors.RETRY_AFTER_SECONDS)
    return answer
