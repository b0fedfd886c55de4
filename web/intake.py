"""What no request may carry, refused before a view reads it: text that the database cannot hold, JSON that is none."""

from collections.abc import Iterator
from typing import Any

import orjson
from flask import Flask, request
from werkzeug.exceptions import UnsupportedMediaType

from controlplane.errors import Invalid
from web.context import for_program

DEEPEST = 32
WITH_FILES = frozenset({"requests_attachments.add", "vpn_imports.create"})
"""Endpoints of the API that take files, as multipart/form-data."""
_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def init_app(app: Flask) -> None:
    """Look at every request of `app`. To be called when it is known who asks: nobody is told nothing of his input."""
    app.before_request(_look)


def _look() -> None:
    if request.endpoint is None:
        return
    for name, value in (request.view_args or {}).items():
        _check(name, value)
    for name, value in request.args.items(multi=True):
        _check("query", name)
        _check(name, value)
    if request.method not in _WRITES:
        return
    if for_program() and not _sends_files():
        _check_body()
    else:
        for name, value in request.form.items(multi=True):
            _check(name, value)


def _sends_files() -> bool:
    return request.endpoint in WITH_FILES and request.mimetype == "multipart/form-data"


def _check_body() -> None:
    raw = request.get_data(cache=True)
    if not raw:
        return
    if not request.is_json:
        raise UnsupportedMediaType("Send the body as application/json.")
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Invalid(field="body", reason=f"is not valid JSON in UTF-8: {error}") from None
    if not isinstance(body, dict):
        raise Invalid(field="body", reason="must be a JSON object")
    # orjson takes no number that is none and no half of a pair; few bodies need a closer look.
    if rb"\u0000" in raw or _deep(body):
        for name, value in _leaves(body):
            _check(name, value)


def _deep(body: dict[str, Any]) -> bool:
    layer: list[Any] = [body]
    for _ in range(DEEPEST):
        inner = [value for outer in layer for value in (outer.values() if isinstance(outer, dict) else outer)]
        layer = [value for value in inner if isinstance(value, dict | list)]
        if not layer:
            return False
    return True


def _leaves(body: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield every key and every plain value of a JSON object with the name of the field that it stands in."""
    waiting: list[tuple[str, Any, int]] = [("body", body, 0)]
    while waiting:
        name, value, depth = waiting.pop()
        if depth > DEEPEST:
            raise Invalid(field=name, reason=f"is nested more than {DEEPEST} levels deep")
        if isinstance(value, dict):
            for key, inner in value.items():
                yield name, key
                waiting.append((key if name == "body" else f"{name}.{key}", inner, depth + 1))
        elif isinstance(value, list):
            waiting.extend((f"{name}.{number}", inner, depth + 1) for number, inner in enumerate(value))
        else:
            yield name, value


def _check(name: str, value: Any) -> None:
    if isinstance(value, str) and _printable(value) != value:
        raise Invalid(field=_printable(name), reason="holds a character that is none: NUL or half of a surrogate pair")


def _printable(text: str) -> str:
    return text.replace("\0", "?").encode("utf-8", "replace").decode()
