"""The web application: wires sessions, identity, API and console into one Flask app, and serves it."""

import gc
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from flask import Flask, Response, g, request
from flask_openapi3 import Info, OpenAPI
from uuid_utils.compat import uuid7
from werkzeug.middleware.proxy_fix import ProxyFix

from controlplane import bootstrap, doctor
from controlplane.bootstrap import Installation
from controlplane.db import APP_ROLE, make_engine, make_sessions
from controlplane.entrance import Entrance, Places
from controlplane.oidc.configuration import Misconfigured, configuration
from controlplane.oidc.provider import Provider
from controlplane.secrets import secret_key
from controlplane.services.attachments import Bounds
from controlplane.settings import Settings, settings
from controlplane.telling.targets import Allowed
from web import api, auth, console, docs, errors, health, intake, transactions
from web.auth import BrowserSessions
from web.context import logged_path
from web.json_provider import Json
from web.language import init_app as init_language
from web.shapes import Problem

CONTENT_SECURITY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'"
)
LARGEST_BODY = 32 * 1024 * 1024
_COLLECT_AFTER = 20_000
_ASSETS = frozenset({"static", "docs.static"})

log = structlog.get_logger(__name__)


def from_environment() -> OpenAPI:
    """Return the app of the installation that the environment describes; for gunicorn, one a process."""
    config = settings()
    bootstrap.configure_logging(config)
    if config.database_url is None:
        raise SystemExit("STEPPE_DATABASE_URL is not set: start the web server by `steppe serve` or `steppe up`")
    engine = make_engine(config.database_url, role=APP_ROLE, pool_size=config.web_threads)
    try:
        app = create_app(Installation(config, config.database_url, engine, make_sessions(engine)))
    except Misconfigured as error:
        raise SystemExit(f"The identity provider is set up wrongly: {error}") from error
    # What start-up made stays for good: the collector need not go through it again, nor look up at every few requests.
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 20)
    return app


class _App(OpenAPI):
    """Flask's questions that have one answer here, at every request, are not asked."""

    session_interface = BrowserSessions()
    json_provider_class = Json

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return `func`: no view and no hook of ours is a coroutine."""
        return func


def create_app(installation: Installation) -> OpenAPI:
    """Return the app of an installation. Raises Misconfigured."""
    app = _App(
        __name__,
        info=Info(title="Steppe", version="1", description="The control plane of a government cloud centre"),
        security_schemes={"token": {"type": "http", "scheme": "bearer"}},
        doc_ui=False,
        validation_error_callback=errors.invalid_body,
        validation_error_model=Problem,
        static_folder=str(Path(__file__).parent / "static"),
        template_folder=str(Path(__file__).parent / "templates"),
    )
    configure(app, installation.settings)
    if installation.settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=installation.settings.trusted_proxies)  # type: ignore[method-assign]
    _trace(app)
    transactions.init_app(app, installation.sessions)
    init_language(app)
    auth.init_app(app)
    intake.init_app(app)
    transactions.init_idempotency(app)
    errors.init_app(app)
    api.init_app(app)
    console.init_app(app)
    docs.init_app(app)
    health.init_app(app, partial(doctor.ready, installation))
    return app


def configure(app: Flask, config: Settings) -> None:
    """Have `app` go by these settings, with nobody at its entrance. Raises Misconfigured."""
    app.config.update(
        SECRET_KEY=secret_key(config),
        MAX_CONTENT_LENGTH=LARGEST_BODY,
        PERMANENT_SESSION_LIFETIME=timedelta(hours=config.session_hours),
        SESSION_COOKIE_NAME="steppe",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=config.secure_cookies,
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_CHECK_DEFAULT=False,
        BABEL_DEFAULT_TIMEZONE=config.time_zone,
        CENTRE_NAME=config.centre_name,
        ENTRANCE=Entrance.of(config),
        PROVIDER=_provider(config),
        PUBLIC_URL=config.public_url,
        ATTACHMENTS=Bounds.of(config),
        CONSOLE_URL=config.console_url,
        WEBHOOKS_ALLOWED=Allowed.of(config.webhook_allowed),
        CONSOLE_PORT=config.console_address[1],
    )


def _provider(config: Settings) -> Provider | None:
    known = configuration(config)
    return Provider(known, Places(config.web_threads)) if known else None


def _trace(app: Flask) -> None:
    """Give every request an id that log, audit trail, jobs and the answer share."""

    @app.before_request
    def begin() -> None:
        given = request.headers.get("X-Request-Id", "")
        g.trace = given if given.isascii() and given.replace("-", "").isalnum() and len(given) <= 64 else uuid7().hex
        structlog.contextvars.bind_contextvars(trace=g.trace)

    @app.after_request
    def end(answer: Response) -> Response:
        answer.headers.extend(
            {
                "X-Request-Id": g.get("trace", ""),
                "Content-Security-Policy": CONTENT_SECURITY + g.get("more_content_security", ""),
                "X-Content-Type-Options": "nosniff",
                "Referrer-Policy": g.get("referrer_policy", "same-origin"),
            }
        )
        if request.endpoint not in _ASSETS:
            answer.headers.setdefault("Cache-Control", "no-store")
        log.info("request", method=request.method, path=logged_path(), status=answer.status_code)
        structlog.contextvars.clear_contextvars()
        return answer
