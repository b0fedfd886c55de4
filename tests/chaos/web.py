"""The web application as it is, whose requests say where they are; for gunicorn.

A request is `begun` with its transaction open and nothing written, `written` before the commit, `committed` before the
answer leaves the process. Whose it is says its X-Request-Id.
"""

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, Response, g, request

from tests.chaos.traps import Point, reach
from web.app import from_environment as product

_WRITES = {"POST", "DELETE"}


def from_environment() -> Flask:
    """Return the product's app with a trap at each point of a write."""
    app = product()
    app.before_request(_begun)
    # The one that was registered last is the first to see the answer: the commit comes after it.
    app.after_request(_written)
    app.wsgi_app = _committing(app.wsgi_app)  # type: ignore[method-assign]
    return app


def _begun() -> None:
    if request.method in _WRITES:
        reach(Point("request", "begun", g.trace))


def _written(answer: Response) -> Response:
    if request.method in _WRITES and answer.status_code < 400:
        reach(Point("request", "written", g.trace))
    return answer


def _committing(app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        said = app(environ, start_response)
        if environ["REQUEST_METHOD"] in _WRITES:
            reach(Point("request", "committed", environ.get("HTTP_X_REQUEST_ID", "")))
        return said

    return answer
