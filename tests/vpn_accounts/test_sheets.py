"""Tables of VPN accounts: what is read of them, and what is said of those that cannot be."""

import io
import zipfile
from datetime import date
from typing import Any

import openpyxl
import pytest

from controlplane import vpn_sheets
from controlplane.vpn_import import refusals
from controlplane.vpn_sheets import HEADINGS, Sheet, read
from tests.vpn_accounts.importing import workbook

PLAIN = "姓名,工号,用户名\r\n王芳,E00001,wang1\r\n\r\n李娜,E00002,\r\n"


def rows(sheet: Sheet) -> list[tuple[int, dict[str, str]]]:
    return [(row.line, dict(row.cells)) for row in sheet.rows]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_is_read_in_each_encoding_and_with_each_delimiter(encoding: str, delimiter: str) -> None:
    sheet = read("人员.CSV", PLAIN.replace(",", delimiter).encode(encoding))
    assert sheet.headings == {"name": "姓名", "number": "工号", "username": "用户名"}
    assert rows(sheet) == [
        (2, {"name": "王芳", "number": "E00001", "username": "wang1"}),
        (4, {"name": "李娜", "number": "E00002"}),
    ]


def test_headings_come_in_any_order_and_in_either_language() -> None:
    sheet = read("a.csv", "Number, 手机 ,NAME\n1, 0471-1 ,x\n".encode())
    assert rows(sheet) == [(2, {"number": "1", "phone": "0471-1", "name": "x"})]


def test_a_row_over_several_lines_has_the_number_of_its_first() -> None:
    sheet = read("a.csv", '姓名,工号\n"a\nb",1\nc,2\n'.encode())
    assert [row.line for row in sheet.rows] == [2, 4]


def test_numbers_and_dates_of_a_workbook_read_as_they_are_seen() -> None:
    line = ("王芳", 1001, 1001.0, date(2027, 12, 31), 2.5, True)
    sheet = read("a.xlsx", workbook(("姓名", "工号", "用户名", "有效期至", "会话数", "网关"), line))
    [(_, cells)] = rows(sheet)
    assert cells == {
        **{"name": "王芳", "number": "1001", "username": "1001"},
        **{"lease_until": "2027-12-31", "max_sessions": "2.5", "gateway": "True"},
    }


def test_formulas_of_a_workbook_are_not_worked_out() -> None:
    with pytest.raises(refusals.SheetEmpty):
        read("a.xlsx", workbook(("姓名", "工号"), ("=1+1", None)))


@pytest.mark.parametrize(
    ("name", "content", "refusal", "said"),
    [
        ("a.csv", b"", "SheetEmpty", {}),
        ("a.csv", "姓名,工号\n\n".encode(), "SheetEmpty", {}),
        ("a.pdf", b"%PDF", "SheetUnknown", {}),
        ("a.xlsx", "姓名,工号\n".encode(), "SheetUnknown", {}),
        ("a.csv", b"PK\x03\x04", "SheetUnknown", {}),
        ("a.xlsx", b"PK\x03\x04", "SheetBroken", {}),
        ("a.csv", "姓名,工号\n1,2\n".encode() + b"ab\xff\xff", "SheetGarbled", {"line": 3, "column": 3}),
        ("a.csv", "姓名,工号\nab\0".encode(), "SheetGarbled", {"line": 2, "column": 3}),
        ("a.csv", '姓名,工号\na,1\n"b,2\n'.encode(), "SheetMalformed", {"line": 3}),
        ("a.csv", "姓名,工号,血型\n".encode(), "HeadingUnknown", {"line": 1, "column": 3, "heading": "血型"}),
        ("a.csv", "\n姓名,工号,name\n".encode(), "HeadingTwice", {"line": 2, "column": 3}),
        ("a.csv", "手机\n1\n".encode(), "HeadingMissing", {"line": 1, "missing": "姓名, 工号"}),
        ("a.csv", "姓名,工号\na,1\nb,2,3\n".encode(), "CellBeyond", {"line": 3, "column": 3}),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(
    name: str, content: bytes, refusal: str, said: dict[str, Any]
) -> None:
    with pytest.raises(getattr(refusals, refusal)) as refused:
        read(name, content)
    assert {key: refused.value.values[key] for key in said} == said
    assert refused.value.message


def test_text_of_another_encoding_is_refused_and_not_guessed() -> None:
    with pytest.raises(refusals.SheetGarbled):
        read("a.csv", PLAIN.encode("utf-16"))


def test_a_file_is_bounded_in_bytes_rows_and_what_it_unpacks_to() -> None:
    with pytest.raises(refusals.SheetTooLarge):
        read("a.csv", b"x" * (10 * 1024 * 1024 + 1))
    with pytest.raises(refusals.TooManyRows) as refused:
        read("a.csv", ("姓名,工号\n" + "a,1\n" * 30_001).encode())
    assert refused.value.values["line"] == 30_002
    assert len(read("a.csv", ("姓名,工号\n" + "a,1\n" * 30_000).encode()).rows) == 30_000
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b" " * (101 * 1024 * 1024))
    with pytest.raises(refusals.SheetSwells):
        read("a.xlsx", packed.getvalue())


def test_a_row_that_says_it_is_the_billionth_is_not_waited_for() -> None:
    unpacked = zipfile.ZipFile(io.BytesIO(workbook(("姓名", "工号"), ("a", "b"))))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for entry in unpacked.infolist():
            content = unpacked.read(entry)
            if entry.filename.endswith("sheet1.xml"):
                content = content.replace(b'r="2"', b'r="999999999"').replace(b'r="A2"', b'r="A999999999"')
                content = content.replace(b'r="B2"', b'r="B999999999"')
            archive.writestr(entry, content)
    with pytest.raises(refusals.TooManyRows):
        read("a.xlsx", packed.getvalue())


@pytest.mark.parametrize("chinese", [True, False])
@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_the_template_is_read_back_with_every_heading(form: vpn_sheets.Form, chinese: bool) -> None:
    template = vpn_sheets.template(form, chinese=chinese)
    with pytest.raises(refusals.SheetEmpty):
        read(f"a.{form}", template)
    if form == "csv":
        assert template.startswith(b"\xef\xbb\xbf")
        sheet = read("a.csv", template + ",".join(["1"] * len(HEADINGS)).encode())
        assert list(sheet.headings) == list(HEADINGS)
    else:
        book = openpyxl.load_workbook(io.BytesIO(template))
        assert {book.active.column_dimensions[letter].number_format for letter in "ABCDEFGHI"} == {"@"}


@pytest.mark.parametrize("text", ["2027-12-31", "2027/12/31", "2027.12.31", "2027年12月31日"])
def test_a_day_is_read_as_people_write_it(text: str) -> None:
    assert vpn_sheets.day(text) == date(2027, 12, 31)


@pytest.mark.parametrize("text", ["", "31.12.2027", "2027-13-01", "2027-12-31 10:00", "1027-12-31"])
def test_what_is_no_day_is_none(text: str) -> None:
    with pytest.raises(ValueError):
        vpn_sheets.day(text)
