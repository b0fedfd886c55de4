"""What people are handed with a VPN password: a table, or slips to print and cut, in a file that its passphrase opens.

Pure: rows in, bytes out. Nothing here is kept anywhere.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pyzipper
from reportlab.graphics import renderPDF
from reportlab.graphics.barcode.qr import QrCodeWidget
from reportlab.graphics.shapes import Drawing
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from controlplane.vpn_passwords import otpauth

Form = Literal["csv", "pdf"]
LEAST_PASSPHRASE = 12
_FONT = "STSong-Light"
_ACROSS, _DOWN = 2, 6
_MARGIN = 10 * mm
_CODE = 24 * mm


@dataclass(frozen=True, slots=True)
class Slip:
    """What one person gets: lines of (label, value), and what a QR code beside them says."""

    lines: tuple[tuple[str, str], ...]
    code: str | None = None


FIELDS = ("name", "number", "username", "password", "secret")
"""What may stand on a slip, in its order; `secret` is a second factor's, of those who have one."""


def slip(words: Mapping[str, str], values: Mapping[str, str | None]) -> Slip:
    """Return the slip that says `values` under the headings `words`, both by FIELDS."""
    lines = tuple((words[field], value) for field in FIELDS if (value := values.get(field)))
    secret = values.get("secret")
    return Slip(lines, otpauth(values["username"] or "", secret) if secret else None)


def packed(slips: Sequence[Slip], form: Form, passphrase: str) -> bytes:
    """Return a ZIP file, encrypted by AES-256 with a key from the passphrase, that holds all slips as `form`.

    7-Zip and WinRAR open it; what Windows itself has for ZIP files does not. Format: WinZip AE-2.
    """
    content = _table(slips) if form == "csv" else _pages(slips)
    out = io.BytesIO()
    with pyzipper.AESZipFile(out, "w", compression=pyzipper.ZIP_DEFLATED, encryption=pyzipper.WZ_AES) as archive:
        archive.setpassword(passphrase.encode())
        archive.setencryption(pyzipper.WZ_AES, nbits=256)
        archive.writestr(f"vpn-accounts.{form}", content)
    return out.getvalue()


def _table(slips: Sequence[Slip]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out)
    widest = max(slips, key=lambda slip: len(slip.lines), default=Slip(()))
    writer.writerow([label for label, _ in widest.lines])
    # What a spreadsheet would take for a formula stays text.
    writer.writerows([f"'{value}" if value[:1] in "=+-@" else value for _, value in slip.lines] for slip in slips)
    return out.getvalue().encode("utf-8-sig")


def _pages(slips: Sequence[Slip]) -> bytes:
    if _FONT not in pdfmetrics.getRegisteredFontNames():
        # Every reader has it: it is one of those that PDF itself names for Chinese.
        pdfmetrics.registerFont(UnicodeCIDFont(_FONT))
    out = io.BytesIO()
    page = Canvas(out, pagesize=A4)
    across, down = (A4[0] - 2 * _MARGIN) / _ACROSS, (A4[1] - 2 * _MARGIN) / _DOWN
    for number, slip in enumerate(slips):
        place = number % (_ACROSS * _DOWN)
        if number and place == 0:
            page.showPage()
        left = _MARGIN + (place % _ACROSS) * across
        _draw(page, slip, (left, A4[1] - _MARGIN - (place // _ACROSS + 1) * down, across, down))
    page.save()
    return out.getvalue()


def _draw(page: Canvas, slip: Slip, box: tuple[float, float, float, float]) -> None:
    left, bottom, across, down = box
    page.setDash(2, 2)
    page.rect(left, bottom, across, down)
    height = (down - 8 * mm) / max(len(slip.lines), 1)
    for number, (label, value) in enumerate(slip.lines):
        base = bottom + down - 7 * mm - number * height
        page.setFont(_FONT, 8)
        page.drawString(left + 4 * mm, base, label)
        page.setFont("Courier-Bold" if value.isascii() else _FONT, 11)
        page.drawString(left + 26 * mm, base, value[:40])
    if slip.code:
        square = QrCodeWidget(slip.code, barWidth=_CODE, barHeight=_CODE, barBorder=0)
        drawing = Drawing(_CODE, _CODE)
        drawing.add(square)
        renderPDF.draw(drawing, page, left + across - _CODE - 2 * mm, bottom + 2 * mm)
