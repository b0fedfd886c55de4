"""Where to go after something was done: an address that came with a form is trusted only if it is one of ours."""

import re

from flask import url_for

_PLAIN = re.compile(r"[^\\\x00-\x1f\x7f]*")


def local(target: str | None, start: str | None = None) -> str:
    """Return `target` if it leads to a page of ours, else `start`, else the start page: a link must not send people
    elsewhere."""
    home: str = start or url_for("console.home")
    # Browsers read "\\" as "/" and pass over tabs and line ends, so either could hide a second slash.
    if not target or not target.startswith("/") or target.startswith("//") or not _PLAIN.fullmatch(target):
        return home
    return target
