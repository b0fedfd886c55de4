"""What every noun of the API has in common: its place, its security, and how it reads what a request brings."""

from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from flask import Response, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, ValidationError

from controlplane.paging import Listing
from web.errors import invalid_body
from web.schemas import Strict

_NOT_FILTERS = {"limit", "cursor", "sort"}


class _Noun(APIBlueprint):
    """Routes whose views take what they name of `path`, `query`, `form` and `body`, each read by its model."""

    @staticmethod
    def create_view_func(func: Callable[..., Response], *models: Any, **_more: Any) -> Callable[..., Response]:
        """Return the view behind a route. flask-openapi3's own works out the schema of a query at every request, and
        reads `0` in a body as false."""
        of = [(name, _READ[name], model) for name, model in zip(_NAMES, models, strict=True) if model]

        @wraps(func)
        def view(**path: Any) -> Response:
            try:
                brought = {name: read(model, path) for name, read, model in of}
            except ValidationError as error:
                return invalid_body(error)
            return func(**brought)

        return view


def _query(model: type[BaseModel], _path: Any) -> BaseModel:
    return model.model_validate(request.args.to_dict()) if request.args else _without(model)


@cache
def _without(model: type[BaseModel]) -> BaseModel:
    return model.model_validate({})


def _form(model: type[BaseModel], _path: Any) -> BaseModel:
    return model.model_validate({**request.form.to_dict(), **request.files.to_dict()})


def _body(model: type[BaseModel], _path: Any) -> BaseModel:
    """Read a body as the JSON that it is: no number is a boolean or a time. Strictly, pydantic takes a UUID or a time
    from JSON alone."""
    return model.model_validate_json(request.get_data(cache=True) or b"null", strict=True)


_READ: dict[str, Callable[[type[BaseModel], dict[str, Any]], BaseModel]] = {
    "path": lambda model, path: model.model_validate(path),
    "query": _query,
    "form": _form,
    "body": _body,
}
_NAMES = ("header", "cookie", "path", "query", "form", "body", "raw")
"""In the order in which flask-openapi3 names them; no view of ours takes the others."""


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
