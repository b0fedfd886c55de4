"""Handing out passwords of VPN accounts: who waits for one, and the file that only a passphrase opens.

The passphrase and the passwords are in one answer and nowhere else: not in a page, an address, a log or the record.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, make_response, render_template, request
from flask_babel import gettext as _

from controlplane import lookups
from controlplane.errors import NotFound, NotNow, Refusal
from controlplane.policy import authorize
from controlplane.reports import vpn as report
from controlplane.services import vpn_credentials
from controlplane.vpn_slips import LEAST_PASSPHRASE
from web import errors
from web.console import choosing, places, vm_fields
from web.console.vpn_accounts import KIND, rows_of
from web.context import actor, entrance, session
from web.files import saved
from web.vpn_files import credentials_file

_LONGEST_PASSPHRASE = 128
_FORMS = ("csv", "pdf")


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/vpn-passwords", "vpn_passwords", show, methods=["GET"])
    pages.add_url_rule("/vpn-passwords", "vpn_passwords_issue", issue, methods=["POST"])
    pages.add_url_rule("/vpn-passwords/chosen", "vpn_passwords_chosen", choose, methods=["POST"])


def show() -> str:
    """Say how many wait for a password, and offer the form that hands them out"""
    authorize(actor(), "vpn.issue")
    department = vm_fields.department(request.args.get("department", "")) or vm_fields.own()
    return _page({"department": choosing.written(department)} if department else {}, department, ())


def choose() -> str:
    """Offer the form that hands out passwords to the accounts that were chosen"""
    authorize(actor(), "vpn.issue")
    refs = places.chosen(KIND, request.form.getlist("id"))
    accounts = lookups.resources_by_id(session(), actor(), KIND, refs)
    if len(accounts) < len(refs):
        raise NotFound(noun=KIND, name=str(min(set(refs) - {account.id for account in accounts})))
    return _page(*_of(accounts))


def issue() -> str | Response:
    """Hand out passwords in a file"""
    authorize(actor(), "vpn.issue")
    refs = places.chosen(KIND, request.form.getlist("id"))
    accounts = lookups.resources_by_id(session(), actor(), KIND, refs) if refs else []
    given, department, chosen = _of(accounts) if accounts else (dict(request.form), _department(), ())
    problems = _problems(request.form, department)
    if len({account.department_id for account in chosen}) > 1:
        problems["id"] = _several()
    if problems:
        return make_response(_page(given, department, chosen, problems), 422)
    try:
        which = vpn_credentials.Which(department.id, refs)
        issued = vpn_credentials.issue(session(), actor(), entrance().keys, which)
    except NotNow as refusal:
        session().rollback()
        nobody = {"id": _("Nobody of this department waits for a password; nothing was done.")}
        return make_response(_page(given, _department(), (), nobody), refusal.status)
    except Refusal as refusal:
        session().rollback()
        return make_response(_page(given, _department(), (), {"id": errors.message(refusal)}), refusal.status)
    form: Any = request.form.get("form") if request.form.get("form") in _FORMS else _FORMS[0]
    content = credentials_file(issued, form, request.form["passphrase"])
    return saved(content, f"vpn-accounts-{department.code}.zip", "application/zip")


def _of(accounts: Sequence[Any]) -> tuple[dict[str, str], Any, Sequence[Any]]:
    """Return the fields, the department and the accounts of a form for accounts that were chosen."""
    if not accounts:
        return {}, vm_fields.own(), ()
    department = accounts[0].department
    return {"department": choosing.written(department)}, department, accounts


def _department() -> Any:
    return vm_fields.department(request.form.get("department", "")) or vm_fields.own()


def _problems(form: Mapping[str, str], department: Any) -> dict[str, str]:
    """Return what is wrong, by field. The passphrase itself is never said again."""
    problems = {}
    passphrase, again = form.get("passphrase", ""), form.get("again", "")
    if department is None:
        problems["department"] = _("No department, or more than one, is called this; choose one of the list.")
    if not LEAST_PASSPHRASE <= len(passphrase) <= _LONGEST_PASSPHRASE:
        bounds = {"least": LEAST_PASSPHRASE, "most": _LONGEST_PASSPHRASE}
        problems["passphrase"] = _("From %(least)s to %(most)s letters", **bounds)
    elif passphrase != again:
        problems["again"] = _("The two are not the same; type both again.")
    return problems


def _several() -> str:
    return str(_("These accounts are of several departments: choose those of one."))


def _page(
    given: Mapping[str, str], department: Any, chosen: Sequence[Any], problems: Mapping[str, str] | None = None
) -> str:
    waiting = report.waiting_for_passwords(session(), actor())
    several = len({account.department_id for account in chosen}) > 1
    return render_template(
        "vpn/passwords.html",
        form=given,
        fixed=vm_fields.only() or (department if chosen else None),
        department=department,
        waiting=waiting,
        waiting_here=_count(waiting, department.id) if department else None,
        chosen=rows_of(chosen),
        problems={**({"id": _several()} if several else {}), **(problems or {})},
        least=LEAST_PASSPHRASE,
        most=_LONGEST_PASSPHRASE,
    )


def _count(waiting: Sequence[tuple[Any, int]], department: UUID) -> int:
    return next((count for of, count in waiting if of.id == department), 0)
