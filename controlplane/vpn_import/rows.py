"""From the rows of a table to what they ask for; and what is wrong with a row, by the headings of its table."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from controlplane.errors import AlreadyExists, Invalid, NotFound, Refusal
from controlplane.kinds.vpn_account import VpnAccountSpec
from controlplane.vpn_import import refusals
from controlplane.vpn_import.problems import Problem, problem
from controlplane.vpn_rows import VpnAccountRow
from controlplane.vpn_sheets import HEADINGS, RawRow, Sheet, day

_OF_PERSONS = ("name", "number", "phone", "mail")

_WRONG: Mapping[str, type[refusals.ImportRefused]] = {
    "name": refusals.WrongName,
    "number": refusals.WrongNumber,
    "phone": refusals.WrongPhone,
    "mail": refusals.WrongMail,
    "username": refusals.WrongUsername,
    "system": refusals.WrongSystem,
    "gateway": refusals.WrongGateway,
    "max_sessions": refusals.WrongSessions,
}


Make = Callable[[VpnAccountRow], VpnAccountSpec]
"""What `vpn_rows.maker` returns."""


class Asked(NamedTuple):
    """What one row asks for, and where it stands."""

    line: int
    spec: VpnAccountSpec


class Columns:
    """Says what is wrong with a row by the headings of its table."""

    def __init__(self, sheet: Sheet) -> None:
        self._headings = sheet.headings

    def problem(self, line: int, field: str, refusal: Refusal) -> Problem:
        """Return what is wrong with a field of a row."""
        return problem(refusal, line, self._headings.get(field, HEADINGS[field]))

    def refused(self, asked: Asked, refusal: Refusal) -> Problem:
        """Return what `requests.submit` refuses of a row."""
        spec = asked.spec
        if isinstance(refusal, AlreadyExists):
            return self.problem(asked.line, "username", refusals.UsernameTaken(username=spec.username))
        if isinstance(refusal, NotFound):
            return self.problem(asked.line, "system", refusals.SystemUnknown(system=spec.system))
        if isinstance(refusal, Invalid):
            return self.problem(asked.line, "gateway", refusals.NoGroup())
        return problem(refusal, asked.line)


def made(columns: Columns, make: Make, zone: ZoneInfo, raw: RawRow) -> Asked | list[Problem]:
    """Return what a row asks for, its person sealed; or all that is wrong with it."""
    wrong: dict[str, Refusal] = {}
    row = _row(zone, raw, wrong)
    if row is not None:
        try:
            return Asked(raw.line, make(row))
        except Invalid as refusal:
            if refusal.values["field"] == "username":
                wrong["username"] = refusals.UsernameByRule() if row.username else refusals.UsernameMissing()
            else:
                wrong["number"] = refusals.NumberUnfit()
    return [columns.problem(raw.line, field, wrong[field]) for field in HEADINGS if field in wrong]


def _row(zone: ZoneInfo, raw: RawRow, wrong: dict[str, Refusal]) -> VpnAccountRow | None:
    """Return a row as it is asked for, or None and fill in what is wrong with it. A day stands for its last second."""
    cells: dict[str, Any] = dict(raw.cells)
    person = {field: cells.pop(field) for field in _OF_PERSONS if field in cells}
    if "lease_until" in cells:
        try:
            cells["lease_until"] = datetime.combine(day(cells["lease_until"]), time(23, 59, 59), zone).astimezone(UTC)
        except ValueError:
            del cells["lease_until"]
            wrong["lease_until"] = refusals.WrongDay()
    try:
        row = VpnAccountRow.model_validate({**cells, "person": person})
    except ValidationError as error:
        for found in error.errors():
            field = str(found["loc"][-1])
            wrong[field] = _WRONG[field]()
        return None
    return None if wrong else row
