"""What the API's description says of an answer: whatever a test asks is held against it."""

from functools import cache
from http import HTTPStatus
from typing import Any

from flask import Flask
from jsonschema_rs import Draft202012Validator
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse


def hold(app: Flask, answer: TestResponse) -> None:
    """Fail where an answer has a status, a media type or a shape of which the description does not tell.

    An address that is no operation's has no description.
    """
    asked, status = answer.request, str(answer.status_code)
    name = _operation(app, asked.path, asked.method)
    told = _description(app)["paths"].get(name[0], {}).get(name[1]) if name else None
    if told is None:
        return
    assert status in told["responses"], f"{name} answers {status}, of which its description does not tell"
    if answer.status_code == HTTPStatus.NOT_MODIFIED:
        # It has no body, whatever its description says of the one that the caller has.
        return
    kinds = told["responses"][status]["content"]
    assert answer.mimetype in kinds, f"{name} answers {status} as {answer.mimetype}, not as {list(kinds)}"
    if answer.is_json:
        wrong = [str(error) for error in _shape(app, *name, status, answer.mimetype).iter_errors(answer.json)]
        assert not wrong, f"{name} answers {status}, but {wrong[0]}"


def _operation(app: Flask, path: str, method: str) -> tuple[str, str] | None:
    try:
        rule, _ = app.url_map.bind("localhost").match(path, method, return_rule=True)
    except HTTPException:
        return None
    return rule.rule.replace("<", "{").replace(">", "}"), method.lower()


def _description(app: Flask) -> dict[str, Any]:
    document: dict[str, Any] = app.extensions["steppe.description"]
    return document


@cache
def _shape(app: Flask, path: str, method: str, status: str, kind: str) -> Draft202012Validator:
    document = _description(app)
    shape = document["paths"][path][method]["responses"][status]["content"][kind]["schema"]
    return Draft202012Validator({**shape, "components": document["components"]}, validate_formats=True)
