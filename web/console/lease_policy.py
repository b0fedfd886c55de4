"""The policy of leases: after how many days what is done to a resource whose lease ended, or that nobody uses."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from pydantic import ValidationError
from werkzeug.wrappers import Response as Redirect

from controlplane.options import LeasePolicy
from controlplane.services import leases as service
from web.context import actor, session

_MAY_BE_OFF = ("stop_days", "quarantine_days", "delete_days", "unused_days")
_NUMBERS = (*_MAY_BE_OFF, "answer_days", "keep_days")


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/leases/policy", "leases_policy", show)
    pages.add_url_rule("/leases/policy", "leases_policy_set", change, methods=["POST"])


def show() -> str:
    """Show the policy of leases"""
    known = service.policy(session(), actor(), "lease.write").model_dump()
    days = {name: "" if known[name] is None else str(known[name]) for name in _NUMBERS}
    return _page({**days, "warn_days": " ".join(map(str, known["warn_days"]))}, {})


def change() -> Redirect | Response:
    """Set the policy of leases"""
    service.policy(session(), actor(), "lease.write")
    given: dict[str, Any] = {name: request.form.get(name, "").strip() or None for name in _NUMBERS}
    given["warn_days"] = request.form.get("warn_days", "").replace(",", " ").replace("、", " ").split()
    try:
        wanted = LeasePolicy.model_validate(given)
    except ValidationError as error:
        wrong = {str(problem["loc"][0]): _("A whole number of days, within reason") for problem in error.errors()}
        return make_response(_page(request.form, wrong), 422)
    service.set_policy(session(), actor(), wanted)
    flash(_("The policy of leases was set."), "good")
    return redirect(url_for("console.leases_policy"))


def _page(form: Mapping[str, str], problems: Mapping[str, str]) -> str:
    return render_template("leases_policy.html", form=form, problems=problems, fields=_fields())


def _fields() -> list[tuple[str, str, str]]:
    """Return each number of days: its name, what it is, what an empty field means."""
    passed_over = _("Empty: this step is passed over.")
    return [
        ("stop_days", _("From the end of a lease to the stop"), passed_over),
        ("quarantine_days", _("From the stop to the quarantine"), passed_over),
        ("delete_days", _("From the quarantine to the deletion"), passed_over),
        ("unused_days", _("Stopped for so long, a machine seems unused"), _("Empty: nobody is asked about it.")),
        ("answer_days", _("Time to answer whether it is still needed"), ""),
        ("keep_days", _("An answer holds for"), ""),
    ]
