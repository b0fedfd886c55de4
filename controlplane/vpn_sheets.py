"""Tables of VPN accounts as departments keep them: CSV or XLSX in, rows of text with their line numbers out.

Whoever sends one filled it in by hand, so what is wrong is said with line and column. Nothing in a file is carried out,
and however it is packed, no more is unpacked than its bounds allow.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import PurePath
from typing import Any, Literal
from zipfile import BadZipFile, ZipFile

import openpyxl

from controlplane.vpn_import import refusals

MIB = 1024 * 1024
MOST_MIB, MOST_UNPACKED_MIB, MOST_ROWS = 10, 100, 30_000
_MOST_ENTRIES, _MOST_COLUMNS, _LAST_LINE = 1000, 64, 1_048_576

Form = Literal["csv", "xlsx"]
MEDIA_TYPES: Mapping[Form, str] = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
HEADINGS: Mapping[str, str] = {
    "name": "姓名",
    "number": "工号",
    "phone": "手机",
    "mail": "邮箱",
    "username": "用户名",
    "system": "业务系统",
    "gateway": "网关",
    "max_sessions": "会话数",
    "lease_until": "有效期至",
}
"""The fields of a row in the order of the template, each with its Chinese heading; its English one is its name."""
REQUIRED = ("name", "number")

_FIELDS = {heading.casefold(): field for field, zh in HEADINGS.items() for heading in (field, zh)}
_DELIMITERS = (",", ";", "\t")
_ZIP, _ENTRY = b"PK\x03\x04", b"PK\x01\x02"
_DAY = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?")


@dataclass(frozen=True, slots=True)
class RawRow:
    """What stands in one row, by field, without what is empty; `line` is its first one in the file."""

    line: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: the heading of each field that it has, as it is written there, and its rows."""

    headings: Mapping[str, str]
    rows: Sequence[RawRow]


def read(name: str, content: bytes) -> Sheet:
    """Return the rows of a file; those without anything are passed over. Raises ImportRefused."""
    if len(content) > MOST_MIB * MIB:
        raise refusals.SheetTooLarge(most=MOST_MIB)
    ending = PurePath(name).suffix.casefold()
    packed = content.startswith(_ZIP)
    if ending not in {".csv", ".txt", ".xlsx"} or packed != (ending == ".xlsx"):
        raise refusals.SheetUnknown
    return _sheet(_cells_of_xlsx(content) if packed else _cells_of_csv(content))


def day(text: str) -> date:
    """Return the day that a cell names: 2027-12-31, 2027/12/31 or 2027年12月31日. Raises ValueError."""
    found = _DAY.fullmatch(text)
    if found is None or not 2000 <= int(found[1]) < 3000:
        raise ValueError(text)
    return date(*map(int, found.groups()))


def template(form: Form, *, chinese: bool) -> bytes:
    """Return an empty table with its headings. In the workbook all cells are text: a number keeps its zeros."""
    headings = list(HEADINGS.values() if chinese else HEADINGS)
    if form == "csv":
        return (",".join(headings) + "\r\n").encode("utf-8-sig")
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(headings)
    for place in range(1, len(headings) + 1):
        column = sheet.column_dimensions[openpyxl.utils.get_column_letter(place)]
        column.number_format, column.width = "@", 18
    sheet.freeze_panes = "A2"
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()


_Line = tuple[int, Sequence[str]]


def _sheet(lines: Iterable[_Line]) -> Sheet:
    filled = (line for line in _bounded(lines) if any(line[1]))
    first = next(filled, None)
    if first is None:
        raise refusals.SheetEmpty
    fields = _headings(*first)
    rows: list[RawRow] = []
    for number, cells in filled:
        if len(rows) == MOST_ROWS:
            raise refusals.TooManyRows(line=number, most=MOST_ROWS)
        beyond = next((place for place, cell in enumerate(cells) if cell and place not in fields), None)
        if beyond is not None:
            raise refusals.CellBeyond(line=number, column=beyond + 1)
        rows.append(RawRow(number, {fields[place][0]: cell for place, cell in enumerate(cells) if cell}))
    if not rows:
        raise refusals.SheetEmpty
    return Sheet(dict(fields.values()), rows)


def _bounded(lines: Iterable[_Line]) -> Iterator[_Line]:
    """Pass lines on as far as any table goes: a workbook may say that its next row is the billionth."""
    for number, cells in lines:
        if number > _LAST_LINE:
            raise refusals.TooManyRows(line=number, most=MOST_ROWS)
        yield number, cells


def _headings(line: int, cells: Sequence[str]) -> dict[int, tuple[str, str]]:
    """Return by place the field and its heading."""
    found: dict[int, tuple[str, str]] = {}
    for place, heading in enumerate(cells):
        if not heading:
            continue
        field = _FIELDS.get(heading.casefold())
        if field is None:
            known = ", ".join(f"{zh} ({en})" for en, zh in HEADINGS.items())
            raise refusals.HeadingUnknown(line=line, column=place + 1, heading=heading[:64], known=known)
        if field in dict(found.values()):
            raise refusals.HeadingTwice(line=line, column=place + 1, heading=heading)
        found[place] = (field, heading)
    missing = [HEADINGS[field] for field in REQUIRED if field not in dict(found.values())]
    if missing:
        raise refusals.HeadingMissing(line=line, missing=", ".join(missing))
    return found


def _cells_of_csv(content: bytes) -> Iterator[_Line]:
    text = _decoded(content)
    first = text.lstrip("\r\n").partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(_DELIMITERS, key=first.count), strict=True)
    number = 1
    try:
        for cells in reader:
            yield number, [cell.strip() for cell in cells]
            number = reader.line_num + 1
    except csv.Error:
        raise refusals.SheetMalformed(line=number) from None


def _decoded(content: bytes) -> str:
    """Return text that is UTF-8 or else GB18030; nothing but these is guessed at."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as utf8:
        try:
            text = content.decode("gb18030")
        except UnicodeDecodeError as error:
            # Where it is no GB18030 may be far behind where UTF-8 ended.
            raise _garbled(content[: max(utf8.start, error.start)].decode("gb18030", "replace")) from None
    nul = text.find("\0")
    if nul >= 0:
        raise _garbled(text[:nul])
    return text


def _garbled(before: str) -> refusals.SheetGarbled:
    return refusals.SheetGarbled(line=before.count("\n") + 1, column=len(before) - before.rfind("\n"))


def _cells_of_xlsx(content: bytes) -> Iterator[_Line]:
    _check_size(content)
    try:
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        sheet = book.worksheets[0]
        # What a file says of its own size is not to be believed.
        sheet.reset_dimensions()
        for number, cells in enumerate(sheet.iter_rows(max_col=_MOST_COLUMNS, values_only=True), 1):
            yield number, [_written(cell) for cell in cells]
    except Exception:
        # The library raises what its parsers happen to raise on what is no workbook.
        raise refusals.SheetBroken from None


def _check_size(content: bytes) -> None:
    """Refuse what would unpack to too much. The directory cannot lie: no more of an entry is read than it says."""
    if content.count(_ENTRY) > _MOST_ENTRIES:
        raise refusals.SheetSwells(most=MOST_UNPACKED_MIB)
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (BadZipFile, NotImplementedError, ValueError):
        raise refusals.SheetBroken from None
    if unpacked > MOST_UNPACKED_MIB * MIB:
        raise refusals.SheetSwells(most=MOST_UNPACKED_MIB)


def _written(cell: Any) -> str:
    """Return a cell as its reader sees it: a whole number without a point, a date as a day."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime | date):
        return cell.strftime("%Y-%m-%d")
    return str(cell).strip()
