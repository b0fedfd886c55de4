"""Asking for several things at once: title, reason, and a basket that is kept in the draft itself.

All of it is one form, whose buttons say what to do with it: whatever was typed goes along with each, and nothing is
lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from controlplane import lookups
from controlplane.errors import Invalid, NotNow, NotYourRequest, Refusal
from controlplane.paging import Listing
from controlplane.policy import authorize
from controlplane.services import asking
from controlplane.services.asking import Drafted
from web.console import impact, limits, request_draft, request_items, request_preview, vm_fields
from web.console.vms import KIND
from web.context import actor, arrival, session
from web.request_words import do_word, rule_words, states
from web.words import class_unit, class_word

_OFFERED = 50
_EDITABLE = ("draft", "returned")


@dataclass(slots=True)
class Typed:
    """What stands in the form, what is wrong with which field of it, and why it was refused as a whole."""

    form: Mapping[str, str]
    problems: Mapping[str, str] = field(default_factory=dict)
    refused: impact.Refused | None = None


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/requests/new", "request_new", new, methods=["GET"])
    pages.add_url_rule("/requests/new", "request_create", create, methods=["POST"])
    pages.add_url_rule("/requests/<uuid:ref>/edit", "request_edit", edit, methods=["GET", "POST"])
    pages.add_url_rule("/choices/machines", "machine_choices", machines)


def new() -> str:
    """Show the form for a request"""
    authorize(actor(), "request.ask")
    return _page(None, Typed({**vm_fields.at_first(), **request.args}))


def create() -> str | Redirect | Response:
    """Write a request down as a draft"""
    authorize(actor(), "request.ask")
    form = request.form.to_dict()
    department = vm_fields.department(form.get("department", ""))
    problems = request_draft.texts(form)
    if department is None:
        problems["department"] = _("No department, or more than one, is called this; choose one of the list.")
    added = request_draft.Added()
    if form.get("act") == "add" and department is not None:
        added = request_draft.read(form, department)
    if problems or added.problems:
        return make_response(_page(None, Typed(form, problems | added.problems)), 422)
    try:
        drafted = Drafted(form.get("title", ""), form.get("reason", "").replace("\r\n", "\n"), added.items)
        made = asking.draft(session(), actor(), department.id, drafted)
    except Refusal as refusal:
        session().rollback()
        return make_response(_page(None, _refused(form, refusal)), refusal.status)
    flash(_("The draft is kept. Nobody decides on it before you submit it."), "good")
    return redirect(url_for("console.request_edit", ref=made.id, what=request_draft.what(form)))


def edit(ref: UUID) -> str | Redirect | Response:
    """Change a draft, or a request that was returned, and submit it"""
    asked = _own(ref)
    if request.method == "GET":
        own = {"title": asked.title, "reason": asked.reason, "department": asked.department.code}
        return _page(asked, Typed({**vm_fields.at_first(), **request.args, **own}))
    form = request.form.to_dict()
    problems = request_draft.texts(form)
    added = request_draft.Added()
    if form.get("act") == "add":
        added = request_draft.read(form, asked.department)
    elif form.get("act") == "submit":
        problems |= _unfinished(asked, form)
    if problems or added.problems:
        return make_response(_page(asked, Typed(form, problems | added.problems)), 422)
    try:
        changed = _changes(asked, form, added)
        if changed:
            asking.amend(session(), actor(), ref, changed, _version(form))
        if form.get("act") == "submit":
            return _submitted(asking.submit(session(), actor(), ref, arrival().now))
    except Refusal as refusal:
        session().rollback()
        return make_response(_page(_own(ref), _refused(form, refusal)), refusal.status)
    if form.get("act") != "add" and request_draft.begun(form):
        return _page(_own(ref), Typed(form))
    flash(_("The draft is kept. Nobody decides on it before you submit it."), "good")
    return redirect(url_for("console.request_edit", ref=ref, what=request_draft.what(form)))


def machines() -> str:
    """Offer machines of a department whose name has what was typed"""
    authorize(actor(), "resource.read")
    department = vm_fields.department(request.args.get("department", ""))
    found: list[Any] = []
    if department is not None:
        typed = request.args.get("machine", "").strip()
        sought = {"department": str(department.id), **({"q": typed} if typed else {})}
        found = list(lookups.resources(session(), actor(), KIND, Listing(_OFFERED, None, "name", sought)).items)
    return render_template("parts/choices.html", choices=[vm.name for vm in found])


def _own(ref: UUID) -> Any:
    """Return one's own request that can still be changed. Raises NotFound, NotYourRequest, NotNow."""
    asked = lookups.request_for(session(), actor(), ref, "request.ask")
    if asked.asked_for != (actor().user or actor().id):
        raise NotYourRequest(name=asked.asked_by_name)
    if asked.state not in _EDITABLE:
        name = f"request {asked.number}"
        raise NotNow(name=name, state=asked.state, verb="amend", when="a draft or returned")
    return asked


def _changes(asked: Any, form: Mapping[str, str], added: request_draft.Added) -> dict[str, Any]:
    texts = {name: form[name].replace("\r\n", "\n").strip() for name in ("title", "reason") if name in form}
    changed: dict[str, Any] = {name: text for name, text in texts.items() if text != getattr(asked, name)}
    if added.items:
        changed["items"] = [*asked.items, *added.items]
    first, dash, last = form.get("take", "").partition("-")
    if dash and first.isdigit() and last.isdigit():
        changed["items"] = [*asked.items[: int(first)], *asked.items[int(last) + 1 :]]
    return changed


def _unfinished(asked: Any, form: Mapping[str, str]) -> dict[str, str]:
    """Return what keeps a request from being submitted, by field."""
    problems = {}
    if not form.get("title", "").strip():
        problems["title"] = _("Give it a title: lists show it by that.")
    if request_draft.begun(form):
        problems["what"] = _("Below is something that is not in the request yet: add it, or clear it.")
    elif not asked.items:
        problems["what"] = _("Nothing is asked for yet: describe it and add it.")
    return problems


def _version(form: Mapping[str, str]) -> int | None:
    text = form.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _submitted(asked: Any) -> Redirect | Response:
    """Lead to the page of the request; a form that swaps a part of its page is told to leave it."""
    told = _("The request was submitted: it waits for a decision.")
    flash(told if asked.steps else _("Nobody has to approve it: it is being carried out."), "good")
    there = url_for("console.request", ref=asked.id)
    if request.headers.get("HX-Request"):
        return Response(headers={"HX-Redirect": there})
    return redirect(there)


def _refused(form: Mapping[str, str], refusal: Refusal) -> Typed:
    words = impact.refused(refusal)
    if isinstance(refusal, Invalid) and refusal.values["field"] in {"title", "reason"}:
        return Typed(form, {refusal.values["field"]: words.words})
    return Typed(form, refused=words)


def _page(asked: Any, typed: Typed) -> str:
    form = typed.form
    department = asked.department if asked else vm_fields.department(form.get("department", ""))
    words = rule_words(lambda: {r.name: r for r in lookups.routing_rules(session(), actor())})
    return render_template(
        "requests/edit.html",
        asked=asked,
        form=form,
        problems=typed.problems,
        refused=typed.refused,
        what=request_draft.what(form),
        whats=[(name, do_word(name)) for name in request_draft.WHATS],
        classes=[(c, _class(c)) for c in limits.FIELDS],
        state=states()[asked.state] if asked else "",
        entries=request_items.entries(asked) if asked else [],
        preview=request_preview.of(asked, words) if asked and asked.items else None,
        fixed=asked.department if asked else vm_fields.only(),
        sees_others=actor().scope is None,
        **vm_fields.choices(department),
    )


def _class(name: str) -> str:
    return f"{class_word(name)} ({limits.FIELDS[name][0] or class_unit(name)})"
