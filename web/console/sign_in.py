"""Coming in, going out, and the language to read in."""

from flask import Blueprint, Response, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Redirect

from controlplane.errors import WrongCredentials
from controlplane.services import identity
from web import auth, errors
from web.console.returning import local
from web.context import session
from web.language import choose


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/sign-in", "sign_in", form, methods=["GET"])
    pages.add_url_rule("/sign-in", "enter", enter, methods=["POST"])
    pages.add_url_rule("/sign-out", "sign_out", leave, methods=["POST"])
    pages.add_url_rule("/language", "language", language, methods=["POST"])


def form() -> str:
    """Show the sign-in form"""
    return render_template("login.html", next=local(request.args.get("next")))


def enter() -> Redirect | Response:
    """Sign in"""
    username = request.form.get("user", "").strip()
    try:
        actor = identity.sign_in(session(), username, request.form.get("password", ""), g.trace)
    except WrongCredentials as refusal:
        page = render_template(
            "login.html", error=errors.message(refusal), user=username, next=local(request.form.get("next"))
        )
        return make_response(page, refusal.status)
    auth.remember(actor)
    return redirect(local(request.form.get("next")))


def leave() -> Redirect:
    """Sign out"""
    auth.forget()
    return redirect(url_for("console.sign_in"))


def language() -> Redirect:
    """Choose the language of the console"""
    choose(request.form.get("lang", ""))
    return redirect(local(request.form.get("next")))
