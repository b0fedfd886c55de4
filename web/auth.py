"""Who is asking: a token at the API, a session at the console. Nothing is open but what OPEN lists.

A session is a row of the database; the browser's signed cookie holds the random value that names it. Whoever still has
something to do (a second factor to show or to set up, a password to change) gets no further than the page for it. A
session serves at the API too (the page of its description tries it out), and then needs what every form needs: the
token against forged requests. A request with an Authorization header needs none: no foreign page can make one.
"""

from typing import cast

from flask import Flask, Request, g, redirect, request, session, url_for
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask_wtf import CSRFProtect
from werkzeug.wrappers import Response

from controlplane import binding
from controlplane.entrance import Step
from controlplane.errors import NotSignedIn, Unfinished, WrongNetwork
from controlplane.services import api_tokens, sessions
from controlplane.services.sessions import SignedIn
from web.context import arrival, entrance, for_program

OPEN = frozenset(
    {
        "static",
        "docs.static",
        "console.sign_in",
        "console.enter",
        "console.oidc",
        "console.oidc_back",
        "console.oidc_out",
        "console.language",
        "console.progress",
        "console.register",
        "console.register_csv",
        "health.alive",
        "health.ready",
    }
)
"""Endpoints that somebody unknown may call."""

PAGE_OF: dict[Step, str] = {
    "second_factor": "console.second_factor",
    "enrol": "console.enrol",
    "password": "console.password",
}
"""The page of each thing that somebody must do before anything else."""

_ASSETS = frozenset({"static", "docs.static"})
_ALWAYS = OPEN | {"console.sign_out"}


class BrowserSessions(SecureCookieSessionInterface):
    """Flask's signed cookies, for browsers: a request with an Authorization header is a program's, and has none."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        if "Authorization" in request.headers:
            return self.session_class()
        return super().open_session(app, request)


def init_app(app: Flask) -> None:
    """Make every request of `app` say who it is from before a view sees it."""
    csrf = CSRFProtect(app)
    app.before_request(_identify)

    @app.before_request
    def refuse_forged() -> None:
        if request.endpoint is not None and "Authorization" not in request.headers:
            csrf.protect()


def remember(secret: str, next_page: str | None = None) -> None:
    """Sign somebody in: the browser's cookie holds the session's secret, and nothing of what was in it before."""
    forget()
    session["sign_in"] = secret
    if next_page:
        session["next"] = next_page
    session.permanent = True


def forget() -> None:
    """Forget whose browser it is; the choice of language stays."""
    language = session.get("language")
    session.clear()
    if language:
        session["language"] = language


def signed_in() -> SignedIn:
    """Return the session of whoever asks at the console. Raises NotSignedIn for a token."""
    found: SignedIn | None = g.signed_in
    if found is None:
        raise NotSignedIn
    return found


def _identify() -> Response | None:
    g.actor = g.signed_in = None
    endpoint = request.endpoint
    if endpoint in _ASSETS:
        return None
    header = request.headers.get("Authorization", "")
    if header.startswith("Bearer ") and endpoint is not None:
        secret = header.removeprefix("Bearer ").strip()
        g.actor = api_tokens.token_actor(g.session, entrance().rules, secret, arrival())
        return None
    if not header and "sign_in" in session:
        g.signed_in = _session(cast(str, session["sign_in"]))
    if g.signed_in is not None:
        if g.signed_in.step is not None:
            binding.serve_centre(g.session)
            return _first(g.signed_in.step)
        g.actor = g.signed_in.actor
        binding.serve(g.session, g.actor)
    if g.actor is None and endpoint is not None and endpoint not in OPEN:
        return _turned_away()
    return None


def _session(secret: str) -> SignedIn | None:
    try:
        return sessions.signed_in(g.session, entrance().rules, secret, arrival())
    except WrongNetwork:
        if request.endpoint in OPEN:
            return None
        raise


def _first(step: Step) -> Response | None:
    """Send somebody to what he must do before anything else, unless he is there."""
    if request.endpoint is None or request.endpoint in _ALWAYS or request.endpoint.startswith(PAGE_OF[step]):
        return None
    if for_program():
        raise Unfinished
    return redirect(url_for(PAGE_OF[step]))


def _turned_away() -> Response:
    if for_program():
        raise NotSignedIn
    forget()
    back = request.full_path if request.method == "GET" else "/"
    return redirect(url_for("console.sign_in", next=back.rstrip("?")))
