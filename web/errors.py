"""Errors as their reader wants them: problem+json (RFC 9457) for programs, a page for people."""

import re
from collections.abc import Callable
from typing import Any

import structlog
from flask import Flask, Response, g, jsonify, make_response, render_template, request
from flask_babel import gettext
from flask_wtf.csrf import CSRFError
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from controlplane.db import is_away
from controlplane.errors import Refusal, Unavailable
from web.context import for_program, logged_path
from web.words import class_word, exact_scale, in_words, summary_words

RETRY_AFTER_SECONDS = 5

log = structlog.get_logger(__name__)


def init_app(app: Flask) -> None:
    """Render every error of `app`."""
    app.register_error_handler(Refusal, refused)
    app.register_error_handler(CSRFError, _forged)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _bug)


def invalid_body(error: ValidationError) -> Response:
    """Answer a request that its schema refuses, naming every field that is wrong."""
    problems = [
        {"field": ".".join(str(part) for part in problem["loc"]) or "body", "detail": problem["msg"]}
        for problem in error.errors()
    ]
    detail = "; ".join(f"{p['field']}: {p['detail']}" for p in problems[:5])
    return _problem(422, "invalid", "The request is not of the form that it should have.", detail, problems=problems)


def message(refusal: Refusal) -> str:
    """Return what a refusal says, in the reader's language."""
    return str(gettext(refusal.template)).format(**in_words(refusal.values) | summary_words(refusal))


def shortages(refusal: Refusal) -> list[dict[str, Any]]:
    """Return the numbers of what is short, by class and owner, in the units that read best."""
    found = []
    for row in refusal.numbers().get("shortages", ()):
        amounts = ("limit", "used", "held", "asked", "short_by")
        divisor, unit = exact_scale(row["class"], *(row[name] for name in amounts))
        numbers = {name: round(row[name] / divisor, 1) for name in amounts}
        found.append({"owner": row["owner"], "class": class_word(row["class"]), "unit": unit, **numbers})
    return found


def refused(refusal: Refusal) -> Response:
    """Answer what Steppe says no to."""
    title = re.sub(r"(?<!^)(?=[A-Z])", " ", type(refusal).__name__).capitalize()
    if for_program():
        answer = _problem(refusal.status, refusal.code, title, refusal.message, **refusal.numbers())
    else:
        unsure = gettext("That shows once the database is back.") if isinstance(refusal, Unavailable) else ""
        answer = _page(refusal.status, refusal.code, message(refusal), shortages(refusal), done=unsure)
    if refusal.status == 503:
        answer.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return answer


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    cause = getattr(error, "original_exception", None)
    if isinstance(cause, Exception):  # raised after the view, by the commit
        return _bug(cause)
    if status < 400:
        return make_response(error.get_response())
    if for_program():
        answer = _problem(status, f"http.{status}", error.name, error.description or error.name)
    else:
        answer = _page(status, f"http.{status}", _HTTP_WORDS.get(status, _unknown_fault)())
    if isinstance(error, MethodNotAllowed):
        answer.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
    return answer


_HTTP_WORDS: dict[int, Callable[[], str]] = {
    404: lambda: gettext("There is no such page."),
    405: lambda: gettext("This address does not take that."),
    413: lambda: gettext("What was sent is too large."),
}


def _unknown_fault() -> str:
    return str(gettext("The request cannot be answered."))


def _forged(error: CSRFError) -> Response:
    if for_program():
        detail = "A signed-in session must send the X-CSRFToken header with a write; or send a token instead."
        return _problem(400, "csrf", "Forged", f"{error.description} {detail}")
    return _page(
        400, "csrf", gettext("This form was open too long. Go back, load the page again and send it once more.")
    )


def _bug(error: Exception) -> Response:
    if is_away(error):
        log.warning("the database is away", path=logged_path(), reason=str(error).partition("\n")[0])
        # Nobody can be named without it: the page goes without the frame that does.
        g.actor = None
        return refused(Unavailable())
    log.exception("bug", path=logged_path(), error=type(error).__name__)
    if for_program():
        sentence = "An error in Steppe itself. Nothing was changed. Tell the administrator the request id."
        return _problem(500, "internal", "Internal error", sentence)
    return _page(
        500,
        "internal",
        gettext("An error in Steppe itself. Nothing was changed. Tell the administrator the request id."),
    )


def _problem(status: int, code: str, title: str, detail: str, **more: Any) -> Response:
    body = {
        "type": f"urn:steppe:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "instance": request.path,
        "request_id": g.get("trace"),
    }
    answer = jsonify({**more, **body})
    answer.status_code = status
    answer.content_type = "application/problem+json"
    if status == 401:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="steppe"'
    return answer


def _page(status: int, code: str, happened: str, rows: Any = None, done: str = "") -> Response:
    # The page reads names for its frame, which a transaction that failed would not give.
    if "session" in g:
        g.session.rollback()
    page = render_template("error.html", status=status, code=code, happened=happened, rows=rows, done=done)
    return make_response(page, status)
