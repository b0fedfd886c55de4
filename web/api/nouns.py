"""What every noun of the API has in common: its place, its security, and reading a list's query."""

from typing import Any

from flask import request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel

from controlplane.paging import Listing
from web.schemas import Strict

_NOT_FILTERS = {"limit", "cursor", "sort"}
_READ = ("header", "cookie", "path", "query", "form", "body", "raw")


class _AsJson:
    """The body of an operation, read as the JSON that it is: `0` is not `false`, and no number is a time.

    Pydantic guesses at both unless it is told to be strict, and strictly it takes a UUID or a time from JSON alone.
    """

    def __init__(self, model: type[BaseModel]) -> None:
        self._model = model

    def model_validate(self, obj: object) -> BaseModel:
        # What `obj` was read from; a body that is not there at all is told of as JSON tells it.
        return self._model.model_validate_json(request.get_data(cache=True) or b"null", strict=True)


class _Noun(APIBlueprint):
    @staticmethod
    def create_view_func(func: Any, *models: Any, **more: Any) -> Any:
        of = dict(zip(_READ, models, strict=True))
        body = _AsJson(of["body"]) if of["body"] else None
        return APIBlueprint.create_view_func(func, **{**of, "body": body}, **more)


def noun(name: str, path: str, description: str) -> APIBlueprint:
    """Return the blueprint of a noun under /api/v1."""
    return _Noun(
        name,
        __name__,
        url_prefix=f"/api/v1{path}",
        abp_tags=[Tag(name=name.replace("_", " "), description=description)],
        abp_security=[{"token": []}],
    )


def listing(query: Strict) -> Listing:
    """Return a validated query as lookups want it."""
    values = query.model_dump(exclude_none=True, by_alias=True)
    filters = {name: str(value) for name, value in values.items() if name not in _NOT_FILTERS}
    return Listing(values["limit"], values.get("cursor"), values.get("sort"), filters)
