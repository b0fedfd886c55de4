"""The cookie by which a browser is known at which people have come in before: a mark for each of them.

It outlives the session and names nobody; only the sign-in reads it.
"""

from flask import current_app, request
from werkzeug.wrappers import Response

from controlplane.known_browsers import LIFE

COOKIE = "steppe-known"
_MOST = 5
_BETWEEN = "."


def marks() -> tuple[str, ...]:
    """Return the marks that the browser shows, good or not."""
    return tuple(request.cookies.get(COOKIE, "").split(_BETWEEN)[:_MOST])


def keep(answer: Response, mark: str | None) -> Response:
    """Have the browser keep a mark, and those of the few others who came in there last."""
    if mark:
        others = [other for other in marks() if other and other != mark]
        answer.set_cookie(
            COOKIE,
            _BETWEEN.join([mark, *others][:_MOST]),
            max_age=LIFE,
            secure=current_app.config["SESSION_COOKIE_SECURE"],
            httponly=True,
            samesite=current_app.config["SESSION_COOKIE_SAMESITE"],
        )
    return answer
