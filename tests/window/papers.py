"""Files of every kind that is taken, and such as are not, made in memory."""

import io
import struct
import zipfile
import zlib

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" + bytes(17) + b"\x00\x00\x00\x00IEND\xaeB`\x82"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(20) + b"\xff\xd9"
MAIN = {
    "docx": ("word/document.xml", "wordprocessingml.document.main+xml"),
    "xlsx": ("xl/workbook.xml", "spreadsheetml.sheet.main+xml"),
}


def pdf(body: bytes = b"1 0 obj<</Type/Catalog>>endobj") -> bytes:
    return b"%PDF-1.7\n" + body + b"\ntrailer<</Root 1 0 R>>\n%%EOF\n"


def pdf_with_stream(objects: bytes) -> bytes:
    """A PDF that keeps these objects in a compressed stream, as programs of today do."""
    packed = zlib.compress(objects)
    return pdf(b"2 0 obj<</Type/ObjStm/Filter/FlateDecode>>stream\n" + packed + b"\nendstream endobj")


def office(kind: str = "docx", main: str = "", **entries: bytes) -> bytes:
    """An Office file with further entries, `__` standing for the slash of their names and `_DOT_` for the dot."""
    path, content_type = MAIN[kind]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "[Content_Types].xml",
            f'<Types><Override PartName="/{path}" ContentType="application/vnd.x.{main or content_type}"/></Types>',
        )
        archive.writestr(path, "<document/>")
        for name, content in entries.items():
            archive.writestr(name.replace("__", "/").replace("_DOT_", "."), content)
    return packed.getvalue()


def encrypted(content: bytes) -> bytes:
    """The same zip with each entry marked as locked by a password."""
    marked = bytearray(content)
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = marked.find(magic)
        while at >= 0:
            flags = struct.unpack_from("<H", marked, at + offset)[0]
            struct.pack_into("<H", marked, at + offset, flags | 1)
            at = marked.find(magic, at + 4)
    return bytes(marked)


def svg(inside: str = "<rect width='1' height='1'/>", attributes: str = "", before: str = "") -> bytes:
    return (
        f"{before}<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink' "
        f"{attributes}>{inside}</svg>"
    ).encode()
