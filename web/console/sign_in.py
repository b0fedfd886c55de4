"""Coming in, going out, and the language to read in."""

import re

from flask import Blueprint, Response, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Redirect

from controlplane.errors import WrongCredentials
from controlplane.services import identity
from web import auth, errors
from web.context import session
from web.language import choose

_PLAIN = re.compile(r"[^\\\x00-\x1f\x7f]*")


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/sign-in", "sign_in", form, methods=["GET"])
    pages.add_url_rule("/sign-in", "enter", enter, methods=["POST"])
    pages.add_url_rule("/sign-out", "sign_out", leave, methods=["POST"])
    pages.add_url_rule("/language", "language", language, methods=["POST"])


def form() -> str:
    """Show the sign-in form"""
    return render_template("login.html", next=_local(request.args.get("next")))


def enter() -> Redirect | Response:
    """Sign in"""
    username = request.form.get("user", "").strip()
    try:
        actor = identity.sign_in(session(), username, request.form.get("password", ""), g.trace)
    except WrongCredentials as refusal:
        page = render_template(
            "login.html", error=errors.message(refusal), user=username, next=_local(request.form.get("next"))
        )
        return make_response(page, refusal.status)
    auth.remember(actor)
    return redirect(_local(request.form.get("next")))


def leave() -> Redirect:
    """Sign out"""
    auth.forget()
    return redirect(url_for("console.sign_in"))


def language() -> Redirect:
    """Choose the language of the console"""
    choose(request.form.get("lang", ""))
    return redirect(_local(request.form.get("next")))


def _local(target: str | None) -> str:
    """Return `target` if it leads to a page of ours, else the start page: a link must not send people elsewhere."""
    start: str = url_for("console.home")
    # Browsers read "\\" as "/" and pass over tabs and line ends, so either could hide a second slash.
    if not target or not target.startswith("/") or target.startswith("//") or not _PLAIN.fullmatch(target):
        return start
    return target
