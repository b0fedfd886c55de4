"""What every noun of the API has in common: its place, its security, and reading a list's query."""

from flask_openapi3 import APIBlueprint, Tag

from controlplane.paging import Listing
from web.schemas import Strict

_NOT_FILTERS = {"limit", "cursor", "sort"}


def noun(name: str, path: str, description: str) -> APIBlueprint:
    """Return the blueprint of a noun under /api/v1."""
    return APIBlueprint(
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
