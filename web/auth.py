"""Who is asking: a token at the API, a signed session at the console. Nothing is open but what OPEN lists."""

from uuid import UUID

from flask import Flask, g, redirect, request, session, url_for
from werkzeug.wrappers import Response

from controlplane.actor import Actor
from controlplane.errors import NotSignedIn
from controlplane.services import identity

OPEN = frozenset({"static", "console.sign_in", "console.enter", "console.language", "health.alive", "health.ready"})
"""Endpoints that somebody unknown may call."""


def init_app(app: Flask) -> None:
    """Make every request of `app` say who it is from before a view sees it."""
    app.before_request(_identify)


def remember(actor: Actor) -> None:
    """Sign the actor in: the browser gets a signed cookie that names it."""
    session.clear()
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
    if request.endpoint is None:
        return None
    header = request.headers.get("Authorization", "")
    if header.startswith("Bearer "):
        g.actor = identity.token_actor(g.session, header.removeprefix("Bearer ").strip(), g.trace)
    elif not header and "user" in session:
        g.actor = identity.user_actor(g.session, UUID(session["user"]), g.trace)
    if g.actor is None and request.endpoint not in OPEN:
        if request.path.startswith("/api/"):
            raise NotSignedIn
        forget()
        back = request.full_path if request.method == "GET" else "/"
        return redirect(url_for("console.sign_in", next=back.rstrip("?")))
    return None
