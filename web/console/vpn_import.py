"""Importing VPN accounts: choose a file, see what is wrong with it or what it would take, start it, watch it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from controlplane import lookups, vpn_sheets
from controlplane.paging import Listing, Page
from controlplane.policy import authorize
from controlplane.services import vpn_imports as service
from controlplane.services.vpn_imports import NewImport
from controlplane.vpn_import import problems
from controlplane.vpn_import.problems import Problem
from controlplane.vpn_import.refusals import ImportRefused
from web import errors, files
from web.console import choosing, vm_fields
from web.console.lists import Column, Table, file
from web.context import actor, entrance, session
from web.language import language
from web.vpn_import_words import problem_words, step_word

_LATEST = 10
_UNDER_WAY = frozenset({"checking", "working"})


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    for path, name, view, method in (
        ("/vpn-import", "import", choose, "GET"),
        ("/vpn-import", "import_send", send, "POST"),
        ("/vpn-import/template", "import_template", template, "GET"),
        ("/vpn-import/<uuid:ref>", "import_show", show, "GET"),
        ("/vpn-import/<uuid:ref>/problems.csv", "import_problems", export, "GET"),
        ("/vpn-import/<uuid:ref>/start", "import_start", start, "POST"),
        ("/vpn-import/<uuid:ref>/discard", "import_discard", discard, "POST"),
    ):
        pages.add_url_rule(path, name, view, methods=[method])


def choose() -> str:
    """Offer to import a file of VPN accounts"""
    authorize(actor(), "resource.create")
    own = vm_fields.own()
    return _form({"department": choosing.written(own) if own else "", **request.args}, {})


def send() -> Redirect | Response:
    """Have a file of VPN accounts checked"""
    authorize(actor(), "resource.create")
    department = vm_fields.department(request.form.get("department", ""))
    upload = files.uploaded()
    wrong = {}
    if department is None:
        wrong["department"] = _("Choose a department from the list.")
    if upload is None:
        wrong["file"] = _("Choose a file.")
    if department is None or upload is None:
        return make_response(_form(request.form, wrong), 422)
    try:
        made = service.make(session(), actor(), entrance().keys, NewImport(department.id, upload))
    except ImportRefused as refusal:
        session().rollback()
        return make_response(_form(request.form, {"file": errors.message(refusal)}), refusal.status)
    return redirect(url_for("console.import_show", ref=made.id))


def template() -> Response:
    """Save an empty table for VPN accounts"""
    authorize(actor(), "resource.create")
    form: vpn_sheets.Form = "xlsx" if request.args.get("format") == "xlsx" else "csv"
    content = vpn_sheets.template(form, chinese=language() == "zh")
    return files.saved(content, f"{_('VPN accounts')}.{form}", vpn_sheets.MEDIA_TYPES[form])


def show(ref: UUID) -> str:
    """Show how far an import is, and what came of it"""
    found = lookups.vpn_import_for(session(), actor(), ref)
    return render_template(
        "vpn/import.html",
        of=found,
        under_way=found.state in _UNDER_WAY,
        step=step_word(found.state, found.step),
        problems=[(p.line, p.column, problem_words(p)) for p in _problems(found)],
    )


def export(ref: UUID) -> Response:
    """Save what is wrong with an import as a file"""
    found = _problems(lookups.vpn_import_for(session(), actor(), ref))
    columns = [
        Column("line", _("Line"), lambda p: p.line),
        Column("column", _("Column"), lambda p: p.column),
        Column("problem", _("What is wrong"), problem_words),
    ]
    page: Page[Problem] = Page(found, None, None)
    return file(Table("vpn-import-problems", "", "console.import", "line", columns, (), lambda _listing: page, {}))


def start(ref: UUID) -> Redirect:
    """Make the accounts of an import"""
    service.start(session(), actor(), ref)
    return redirect(url_for("console.import_show", ref=ref))


def discard(ref: UUID) -> Redirect:
    """Throw an import away"""
    service.discard(session(), actor(), ref)
    flash(_("The import was thrown away; nothing was made of it."), "good")
    return redirect(url_for("console.import"))


def _problems(found: Any) -> list[Problem]:
    return problems.opened(entrance().keys, found.problems)


def _form(given: Mapping[str, str], wrong: Mapping[str, str]) -> str:
    return render_template(
        "vpn/import_new.html",
        form=given,
        problems=wrong,
        fixed=vm_fields.only(),
        latest=lookups.vpn_imports(session(), actor(), Listing(_LATEST)).items,
        most_mib=vpn_sheets.MOST_MIB,
        most_rows=vpn_sheets.MOST_ROWS,
    )
