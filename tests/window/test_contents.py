"""What a file is, is told by what is in it; what could do harm where it is opened is refused in words that help."""

import io
import zipfile

import pytest

from controlplane.attachments import office as office_files
from controlplane.attachments.contents import MIB, Upload, checked
from controlplane.attachments.names import LONGEST, cleaned
from controlplane.attachments.refusals import (
    AttachmentActive,
    AttachmentBroken,
    AttachmentEmpty,
    AttachmentLocked,
    AttachmentMisnamed,
    AttachmentNameless,
    AttachmentNested,
    AttachmentOld,
    AttachmentRefused,
    AttachmentSwells,
    AttachmentTooLarge,
    AttachmentUnknown,
)
from tests.window.papers import JPEG, PNG, encrypted, office, pdf, pdf_with_stream, svg

TAKEN = {
    "方案.pdf": (pdf(), "application/pdf"),
    "new.PDF": (pdf_with_stream(b"<</Type/Page>>"), "application/pdf"),
    "图.png": (PNG, "image/png"),
    "a.jpg": (JPEG, "image/jpeg"),
    "a.jpeg": (JPEG + b"more of a camera", "image/jpeg"),
    "说明.txt": ("内蒙古".encode(), "text/plain"),
    "old.txt": ("内蒙古".encode("gb18030"), "text/plain"),
    "list.csv": ("\N{BYTE ORDER MARK}名称,数量\r\n服务器,5\r\n".encode(), "text/csv"),
    "a.docx": (office("docx"), office_files.MEDIA_TYPES["docx"]),
    "a.xlsx": (office("xlsx"), office_files.MEDIA_TYPES["xlsx"]),
    "a.svg": (svg(), "image/svg+xml"),
    "b.svg": (svg(before='<?xml version="1.0" encoding="UTF-8"?>\n<!-- drawn -->\n'), "image/svg+xml"),
    "c.svg": (
        svg("<use href='#a'/><g style='fill:url(#g)'/><image href='data:image/png;base64,AA=='/>"),
        "image/svg+xml",
    ),
}


@pytest.mark.parametrize("name", TAKEN)
def test_what_is_what_its_name_says_is_taken(name: str) -> None:
    content, media_type = TAKEN[name]
    file = checked(Upload(name, content), 10)
    assert (file.name, file.media_type, file.content, len(file.sha256)) == (name, media_type, content, 64)


MISTAKEN = {
    "script in a picture's name": ("a.png", svg("<script>alert(1)</script>"), AttachmentMisnamed),
    "page in a text's name": ("a.txt", svg(), AttachmentMisnamed),
    "text in a drawing's name": ("a.svg", b"plain text", AttachmentMisnamed),
    "picture in a document's name": ("a.pdf", PNG, AttachmentMisnamed),
    "sheet in a document's name": ("a.docx", office("xlsx"), AttachmentMisnamed),
    "two endings": ("plan.pdf.exe", pdf(), AttachmentUnknown),
    "no ending": ("plan", pdf(), AttachmentUnknown),
    "hidden ending": ("fdp.\N{RIGHT-TO-LEFT OVERRIDE}exe.pdf", b"MZ\x90\x00", AttachmentUnknown),
    "program": ("a.txt", b"\x7fELF\x02\x01\x01\x00", AttachmentUnknown),
    "text of 16-bit units": ("a.txt", "abc".encode("utf-16"), AttachmentUnknown),
    "cut off zip": ("a.docx", office()[:200], AttachmentBroken),
    "old Office": ("a.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), AttachmentOld),
    "cut off picture": ("a.png", PNG[:-4], AttachmentBroken),
    "cut off document": ("a.pdf", pdf()[:-8], AttachmentBroken),
    "nothing": ("a.txt", b"", AttachmentEmpty),
    "too large": ("a.txt", b"x" * (MIB + 1), AttachmentTooLarge),
}


@pytest.mark.parametrize("why", MISTAKEN)
def test_what_is_not_what_its_name_says_is_refused(why: str) -> None:
    name, content, refusal = MISTAKEN[why]
    with pytest.raises(AttachmentRefused) as refused:
        checked(Upload(name, content), 1)
    assert type(refused.value) is refusal


DRAWINGS = {
    "script": svg("<script>alert(1)</script>"),
    "script of another namespace": svg("<x:SCRIPT xmlns:x='http://www.w3.org/1999/xhtml'>1</x:SCRIPT>"),
    "event": svg("<rect onclick='alert(1)'/>"),
    "event of the whole": svg(attributes="onload='alert(1)'"),
    "foreign object": svg("<foreignObject><p/></foreignObject>"),
    "link that runs": svg("<a href='javascript:alert(1)'/>"),
    "link elsewhere": svg("<a xlink:href='https://example.org/'/>"),
    "picture elsewhere": svg("<image href='//example.org/a.png'/>"),
    "page within": svg("<image href='data:text/html;base64,AA=='/>"),
    "drawing within": svg("<image href='data:image/svg+xml;base64,AA=='/>"),
    "style that loads": svg("<style>@import 'https://example.org/a.css';</style>"),
    "style that loads by a word in other signs": svg("<style>a{fill:u\\72l(https://example.org)}</style>"),
    "attribute that loads": svg("<rect fill='url(https://example.org/a.svg#b)'/>"),
    "link made to run later": svg("<a><animate attributeName='xlink:href' to='javascript:alert(1)'/></a>"),
    "document type": svg(before="<!DOCTYPE svg SYSTEM 'file:///etc/passwd'>"),
    "entities": svg("&a;", before="<!DOCTYPE svg [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]>"),
    "style sheet elsewhere": svg(before="<?xml-stylesheet href='https://example.org/a.css'?>"),
    "base elsewhere": svg(attributes="xml:base='https://example.org/'"),
}


@pytest.mark.parametrize("why", DRAWINGS)
def test_a_drawing_that_could_run_or_load_something_is_refused(why: str) -> None:
    with pytest.raises(AttachmentActive, match=r"plan\.svg.*Save a plain copy"):
        checked(Upload("plan.svg", DRAWINGS[why]), 10)


PDFS = {
    "script": pdf(b"<</S/JavaScript/JS(app.alert(1))>>"),
    "script in other signs": pdf(b"<</S/J#61vaScript/J#53 5 0 R>>"),
    "script in a packed object": pdf_with_stream(b"<</S /JavaScript /JS (app.alert\\(1\\))>>"),
    "program": pdf(b"<</S/Launch/F(cmd.exe)>>"),
}


@pytest.mark.parametrize("why", PDFS)
def test_a_pdf_that_starts_something_is_refused(why: str) -> None:
    with pytest.raises(AttachmentActive):
        checked(Upload("plan.pdf", PDFS[why]), 10)


def test_a_pdf_with_a_password_or_with_a_file_inside_is_refused() -> None:
    with pytest.raises(AttachmentLocked):
        checked(Upload("plan.pdf", pdf(b"<</Encrypt 5 0 R>>")), 10)
    with pytest.raises(AttachmentNested):
        checked(Upload("plan.pdf", pdf(b"<</Names<</EmbeddedFiles 7 0 R>>>>")), 10)


def test_a_pdf_that_swells_is_refused() -> None:
    with pytest.raises(AttachmentSwells):
        checked(Upload("plan.pdf", pdf_with_stream(bytes(65 * MIB))), 10)


OFFICE = {
    "macros": (office(word__vbaProject_DOT_bin=b"x"), AttachmentActive),
    "macros by its contents": (office(main="x.macroEnabled.main+xml"), AttachmentActive),
    "controls": (office(word__activeX__activeX1_DOT_xml=b"<x/>"), AttachmentActive),
    "template elsewhere": (
        office(
            word___rels__settings_DOT_xml_DOT_rels=b'<Relationship Type="x/attachedTemplate" TargetMode="External"/>'
        ),
        AttachmentActive,
    ),
    "zip inside": (office(word__embeddings__a_DOT_xlsx=office("xlsx")), AttachmentNested),
    "program inside": (office(word__media__a_DOT_png=b"MZ\x90"), AttachmentNested),
    "password": (encrypted(office()), AttachmentLocked),
    "bomb": (office(word__media__a_DOT_bin=bytes(20 * MIB)), AttachmentSwells),
    "many small ones": (office(**{f"word__a{n}": b"x" for n in range(office_files.MOST_ENTRIES)}), AttachmentSwells),
}


@pytest.mark.parametrize("why", OFFICE)
def test_an_office_file_that_holds_more_than_text_is_refused(why: str) -> None:
    content, refusal = OFFICE[why]
    with pytest.raises(AttachmentRefused) as refused:
        checked(Upload("plan.docx", content), 10)
    assert type(refused.value) is refusal


def test_a_zip_that_lies_of_its_size_is_told_by_what_comes_out() -> None:
    content = office(word__media__a_DOT_bin=bytes(20 * MIB))
    told = (20 * MIB).to_bytes(4, "little")
    assert content.count(told) == 2
    with pytest.raises(AttachmentRefused):
        checked(Upload("plan.docx", content.replace(told, (9).to_bytes(4, "little"))), 10)


def test_entries_that_share_their_data_swell_as_well() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "wordprocessingml.document.main+xml")
        archive.writestr("a", bytes(3 * MIB))
        shared = archive.getinfo("a")
        for number in range(100):
            again = zipfile.ZipInfo(f"b{number}")
            for field in ("header_offset", "CRC", "compress_size", "file_size", "compress_type", "flag_bits"):
                setattr(again, field, getattr(shared, field))
            archive.filelist.append(again)
    with pytest.raises((AttachmentSwells, AttachmentBroken)):
        checked(Upload("plan.docx", packed.getvalue()), 10)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("C:\\temp\\方案.pdf", "方案.pdf"),
        ("../../etc/方案.pdf", "方案.pdf"),
        ("a\r\nX-Evil: 1.pdf", "aX-Evil_ 1.pdf"),
        ("fdp\N{RIGHT-TO-LEFT OVERRIDE}txt.exe", "fdptxt.exe"),
        (".htaccess.txt", "htaccess.txt"),
        ('a"b<c>.txt', "a_b_c_.txt"),
        ("长" * 300 + ".docx", "长" * (LONGEST - 5) + ".docx"),
    ],
)
def test_a_name_keeps_neither_path_nor_what_cannot_be_seen(given: str, kept: str) -> None:
    assert cleaned(given) == kept


@pytest.mark.parametrize("given", ["", "...", "/", "？.pdf"])
def test_a_name_of_nothing_is_refused(given: str) -> None:
    with pytest.raises(AttachmentNameless):
        cleaned(given)
