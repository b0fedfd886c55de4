"""A pool of machines: what it has left, and how the catalogue and it match."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, render_template
from flask_babel import format_decimal
from flask_babel import gettext as _

from controlplane import lookups
from controlplane.errors import NotFound
from controlplane.paging import Listing, Page
from controlplane.reports import pool_catalogue as report
from controlplane.reports import quota
from web.console.lists import Column, Filter, Table, file, shown
from web.context import actor, session

_KIND = "vm"
_AT_FIRST = {"trouble": 0, "good": 1, "idle": 2}


@dataclass(frozen=True, slots=True)
class Row:
    """Something of the catalogue in the pool, or of the pool alone. `standing` is good, trouble or idle, in `words`;
    `there` is what the pool calls it, with its id."""

    kind: str
    name: str
    code: str | None
    standing: str
    words: str
    there: str | None = None
    id_there: str | None = None
    by: str | None = None
    advice: str = ""


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/pools/<ref>", "pool", show)
    pages.add_url_rule("/pools/<ref>/catalogue.csv", "pool_csv", export)


def show(ref: str) -> str:
    """Show a pool: what it has left, and what the catalogue's images and sizes are there"""
    found = _report(ref)
    pool = found.pool
    balances = {b.resource_class: b for b in quota.of_pools(session(), actor(), [pool.id]).get(pool.id, ())}
    return render_template(
        "pool.html",
        pool=pool,
        report=found,
        balances=balances,
        check=lookups.checks_of(session(), actor(), [pool.id]).get(pool.id),
        list={**shown(_table(found)), "search": None},
        kind_word=_kind_word,
        by_word=_by_word,
        more=found.others_count - len(found.others),
    )


def export(ref: str) -> Response:
    """List what the catalogue's images and sizes are in a pool as a file"""
    return file(_table(_report(ref)))


def _report(ref: str) -> report.PoolCatalogueReport:
    found = report.of_pool(session(), actor(), ref)
    if found.pool.kind != _KIND:
        raise NotFound(noun="pool", name=ref)
    return found


def _table(found: report.PoolCatalogueReport) -> Table:
    def fetch(listing: Listing) -> Page[Row]:
        rows = [row for row in sorted(_rows(found), key=lambda r: _AT_FIRST[r.standing]) if _is_asked(row, listing)]
        return Page(rows, None, None, len(rows))

    kinds = [(kind, _kind_word(kind)) for kind in ("image", "flavor", "other")]
    return Table(
        id="pool-catalogue",
        label=_("Catalogue and pool"),
        endpoint="console.pool",
        place={"ref": found.pool.code},
        sort="standing",
        columns=[
            Column("name", _("Name"), lambda r: r.name),
            Column("code", _("Code name"), lambda r: r.code),
            Column("kind", _("Kind"), lambda r: _kind_word(r.kind)),
            Column("standing", _("In the pool"), lambda r: r.words),
            Column("by", _("Known by"), lambda r: _by_word(r.by)),
            Column("there", _("Its name there"), lambda r: r.there),
            Column("id_there", _("Its id there"), lambda r: r.id_there, at_first=False),
            Column("advice", _("What to do"), lambda r: r.advice),
        ],
        filters=[
            Filter("kind", _("Kind"), kinds),
            Filter("shown", _("Shown"), [("trouble", _("What cannot be used"))]),
        ],
        fetch=fetch,
        more_filters=(),
        nothing=_nothing(found),
    )


def _nothing(found: report.PoolCatalogueReport) -> dict[str, str | None]:
    if found.checked_at:
        said = _("Nothing is offered"), _("Once the catalogue offers an image, the next sweep says what it is here.")
    else:
        said = _("Not told yet"), _("The sweep asks each pool that can say what it has of the catalogue.")
    return {"title": said[0], "advice": said[1], "url": None, "action": None}


def _is_asked(row: Row, listing: Listing) -> bool:
    kind, standing = listing.filters.get("kind", row.kind), listing.filters.get("shown", row.standing)
    return (kind, standing) == (row.kind, row.standing)


def _rows(found: report.PoolCatalogueReport) -> Iterator[Row]:
    for image in found.images:
        yield _image(image)
    for flavor in found.flavors:
        match = flavor.match
        words = _("There") if match.id else _("Made when it is first asked for")
        yield Row("flavor", flavor.name or match.code, match.code, "good", words, match.name, match.id)
    for name in found.others:
        yield Row(
            "other", name, None, "idle", _("Not offered"), name, advice=_("Add it to the catalogue, if it is to be.")
        )


def _image(line: report.ImageLine) -> Row:
    match = line.match
    standing = "trouble" if match.unusable else "idle" if match.trouble else "good"
    words, advice = _trouble(match.trouble, match.amount)
    return Row("image", line.name or match.code, match.code, standing, words, match.name, match.id, match.by, advice)


def _trouble(trouble: str | None, amount: int | None) -> tuple[str, str]:
    """Return what is the matter with an image in a pool, and what to do about it."""
    number = format_decimal(amount or 0)
    words = {
        None: (_("There"), ""),
        "missing": (_("Not there"), _("Upload it there, or say in the catalogue what it is called there.")),
        "several": (_("%(number)s of that name", number=number), _("Give the catalogue the id of one.")),
        "not_active": (_("Not ready for use"), _("Have it finished or put back into use there.")),
        "too_large": (
            _("Needs a disk of %(number)s GiB", number=number),
            _("Raise its smallest disk in the catalogue."),
        ),
        "min_ram": (_("Needs %(number)s MiB of memory", number=number), _("Offer a size that has as much.")),
        "not_seen": (_("Cannot be looked at"), _("An order finds out whether its file is there.")),
    }
    return words[trouble]


def _kind_word(kind: str) -> str:
    words = {"image": _("Image"), "flavor": _("Size"), "other": _("In the pool alone")}
    return str(words[kind])


def _by_word(by: Any) -> str | None:
    words = {"id": _("Id"), "checksum": _("Checksum"), "name": _("Name"), "path": _("Path")}
    return words.get(by)
