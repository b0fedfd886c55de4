"""Who is asking: a token at the API, a signed session at the console. Nothing is open but what OPEN lists.

A session serves at the API too (the page of its description tries it out), and then needs what every form needs: the
token against forged requests. A request with an Authorization header needs none: no foreign page can make one.
"""

from uuid import UUID

from flask import Flask, g, redirect, request, session, url_for
from flask_wtf import CSRFProtect
from werkzeug.wrappers import Response

from controlplane.actor import Actor
from controlplane.errors import NotSignedIn
from controlplane.services import identity
from web.context import for_program

OPEN = frozenset(
    {
        "static",
        "docs.static",
        "console.sign_in",
        "console.enter",
        "console.language",
        "health.alive",
        "health.ready",
    }
)
"""Endpoints that somebody unknown may call."""


def init_app(app: Flask) -> None:
    """Make every request of `app` say who it is from before a view sees it."""
    csrf = CSRFProtect(app)
    app.before_request(_identify)

    @app.before_request
    def refuse_forged() -> None:
        if request.endpoint is not None and "Authorization" not in request.headers:
            csrf.protect()


def remember(actor: Actor) -> None:
    """Sign the actor in: the browser gets a signed cookie that names it."""
    forget()
    session["user"] = str(actor.id)
    session.permanent = True


def forget() -> None:
    """Sign whoever asks out; the choice of language stays."""
    language = session.get("language")
    session.clear()
    if language:
        session["language"] = language


def _identify() -> Response | None:
    g.actor = None
    header = request.headers.get("Authorization", "")
    if header.startswith("Bearer ") and request.endpoint is not None:
        g.actor = identity.token_actor(g.session, header.removeprefix("Bearer ").strip(), g.trace)
    elif not header and "user" in session:
        g.actor = identity.user_actor(g.session, UUID(session["user"]), g.trace)
    if g.actor is None and request.endpoint is not None and request.endpoint not in OPEN:
        if for_program():
            raise NotSignedIn
        forget()
        back = request.full_path if request.method == "GET" else "/"
        return redirect(url_for("console.sign_in", next=back.rstrip("?")))
    return None
