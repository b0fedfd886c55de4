"""The page of a resource, whatever its kind."""

from uuid import UUID

from flask import url_for

PAGES = {"vm": "vm", "vpn_account": "vpn_account"}
"""By kind, the page of a resource; its further pages are called so and by what they do."""


def page_of(kind: str, ref: UUID, act: str = "") -> str:
    """Return the address of the page of a resource, or of something that can be done about it, like `keep`."""
    page = PAGES[kind]
    return url_for(f"console.{page}_{act}" if act else f"console.{page}", ref=ref)
