"""The console: pages for people, on the same services and lookups as the API."""

from typing import Any

from flask import Blueprint, Flask, g, request, url_for
from flask_babel import gettext as _

from controlplane import lookups
from controlplane.actor import Actor
from controlplane.errors import NotFound
from controlplane.policy import allows
from controlplane.settings import Settings
from web.console import consoles, overview, sign_in, vms
from web.language import language
from web.words import role_word

pages = Blueprint("console", __name__)
for module in (consoles, overview, sign_in, vms):
    module.register(pages)


def init_app(app: Flask, settings: Settings) -> None:
    """Serve the console and give its templates what every page needs."""
    app.register_blueprint(pages)

    @app.context_processor
    def frame() -> dict[str, Any]:
        return {
            "actor": _person(),
            "nav": _navigation(),
            "lang": language(),
            "request_id": g.get("trace"),
            "centre_name": settings.centre_name,
        }


def _person() -> dict[str, Any] | None:
    actor = g.get("actor")
    if actor is None:
        return None
    return {"name": actor.name, "role": role_word(actor.role), "department_name": _department(actor)}


def _department(actor: Actor) -> str | None:
    if actor.department is None:
        return None
    try:
        return str(lookups.department_for(g.session, actor, actor.department, "department.read").name)
    except NotFound:  # closed, while somebody of it is still signed in
        return None


def _navigation() -> list[dict[str, Any]]:
    """Return the entries that the reader's role may open."""
    actor = g.get("actor")
    if actor is None:
        return []
    entries = (
        ("console.home", "resource.read", _("Overview"), "layout-dashboard"),
        ("console.vms", "resource.read", _("Virtual machines"), "server"),
        ("docs.page", "catalogue.read", _("API"), "code"),
    )
    shown = [
        {"label": label, "url": url_for(endpoint), "icon": icon, "active": request.endpoint == endpoint}
        for endpoint, action, label, icon in entries
        if allows(actor, action)
    ]
    return [{"label": "", "entries": shown}]
