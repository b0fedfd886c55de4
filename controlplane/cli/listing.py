"""What every list command has in common."""

from collections.abc import Callable, Mapping
from typing import Any

import click

from controlplane.paging import Listing

_OPTIONS = (
    click.option("--search", "q", help="Any part of a name or code."),
    click.option("--sort", help="A column, with - before it for descending."),
    click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True),
    click.option("--cursor", help="The cursor that the page before gave."),
)


def list_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a list to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def listing(asked: Mapping[str, Any]) -> Listing:
    """Return the options as lookups want them; what is no option of every list is a filter."""
    filters = {k: str(v) for k, v in asked.items() if v is not None and k not in {"sort", "limit", "cursor"}}
    return Listing(asked["limit"], asked["cursor"], asked["sort"], filters)


def more(cursor: str | None) -> None:
    """Say how the next page is had, where there is one."""
    if cursor:
        click.echo(f"more: --cursor {cursor}", err=True)
