"""Lists of the console: one page of what the address asks for, and the same rows as a file.

A list is a table of data: its columns, its filters, and how a page of it is read. All lists share the parameters of
their address: the filters by name, `sort`, `cursor`, and `columns` once for each column that is chosen to be seen.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flask import Response, request, url_for
from flask_babel import format_datetime, format_decimal
from flask_babel import gettext as _

from controlplane.paging import COUNTED_UP_TO, MAX_LIMIT, Listing, Page

PAGE = 50
MOST_IN_A_FILE = 10_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `value` gives what a file says of a row: text, a whole number in `unit`, or an instant."""

    key: str
    label: str
    value: Callable[[Any], object]
    unit: str = ""
    sortable: bool = False
    numeric: bool = False
    at_first: bool = True


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter. `options` are (value, text); `said` is the text of the chosen one where it is not among them.

    `choices` is the address of names to type one of, for filters with too many options to list; `typed` the type of a
    field for what nobody can list, `text` or `date`.
    """

    name: str
    label: str
    options: Sequence[tuple[str, str]] = ()
    said: str = ""
    choices: str = ""
    typed: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """One list. `endpoint` shows it, the same name with `_csv` gives the file; `nothing` is what an empty one says.

    `place`: what else stands in their addresses, where the list is of one thing.
    """

    id: str
    label: str
    endpoint: str
    sort: str
    columns: Sequence[Column]
    filters: Sequence[Filter]
    fetch: Callable[[Listing], Page[Any]]
    nothing: Mapping[str, str | None]
    more_filters: Sequence[str] = field(default=("q",))
    every: int | None = None
    bulk: Sequence[Mapping[str, str]] = ()
    place: Mapping[str, str] = field(default_factory=dict)


def shown(table: Table) -> dict[str, Any]:
    """Return the list as `parts/table.html` wants it, with the page that the address asks for."""
    found = table.fetch(_listing(table, PAGE, request.args.get("cursor"), counted=True))
    kept: dict[str, Any] = {name: request.args.getlist(name) for name in request.args if name != "cursor"}
    return {
        "id": table.id,
        "label": table.label,
        "columns": _chosen(table),
        "choosable": table.columns[1:],
        "sort": request.args.get("sort") or table.sort,
        "filters": table.filters,
        "search": "q" if "q" in table.more_filters else None,
        "page": found,
        "total": _total(found.total),
        "csv": url_for(f"{table.endpoint}_csv", **{**kept, **table.place}),
        "most": format_decimal(MOST_IN_A_FILE),
        "every": table.every,
        "bulk": table.bulk,
        "nothing": table.nothing,
    }


def file(table: Table) -> Response:
    """Return what the list shows, of all its pages up to MOST_IN_A_FILE rows, as CSV that spreadsheets open rightly."""
    columns = _chosen(table)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([f"{c.label} ({c.unit})" if c.unit else c.label for c in columns])
    cut = False
    for number, row in enumerate(_rows(table)):
        if number == MOST_IN_A_FILE:
            cut = True
            break
        writer.writerow([_safe(column.value(row)) for column in columns])
    if cut:
        writer.writerow(
            [_("Cut here: a file takes %(most)s rows. Filter the list.", most=format_decimal(MOST_IN_A_FILE))]
        )
    now = format_datetime(datetime.now(UTC), "yyyyMMdd-HHmm")
    answer = Response("\N{BYTE ORDER MARK}" + text.getvalue(), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="{table.id}-{now}.csv"'
    return answer


def _rows(table: Table) -> Iterator[Any]:
    cursor = None
    while True:
        found = table.fetch(_listing(table, MAX_LIMIT, cursor, counted=False))
        yield from found.items
        cursor = found.next
        if cursor is None:
            return


def _listing(table: Table, limit: int, cursor: str | None, *, counted: bool) -> Listing:
    names: Iterable[str] = (*table.more_filters, *(f.name for f in table.filters))
    filters = {name: request.args[name].strip() for name in names if request.args.get(name, "").strip()}
    return Listing(limit, cursor, request.args.get("sort") or table.sort, filters, counted)


def _chosen(table: Table) -> list[Column]:
    """Return the columns to show: the first one always, the others as the address or else the list itself says."""
    wanted = request.args.getlist("columns")
    first, *others = table.columns
    return [first, *(c for c in others if (c.key in wanted if wanted else c.at_first))]


def _total(count: int | None) -> str | None:
    if count is None:
        return None
    return f"{format_decimal(COUNTED_UP_TO)}+" if count > COUNTED_UP_TO else str(format_decimal(count))


def _safe(value: object) -> object:
    """Return what a cell of a file says. Text that begins like a formula gets a quote: a spreadsheet would run it."""
    if isinstance(value, datetime):
        return format_datetime(value, "yyyy-MM-dd HH:mm:ss")
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value
