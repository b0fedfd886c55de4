"""Who has to approve what: the rules in words, and the form that the security administrator keeps them by."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from controlplane import lookups
from controlplane.errors import Refusal
from controlplane.policy import allows, authorize
from controlplane.services import routing as service
from web import errors
from web.console import catalogue, routing_form, routing_words
from web.context import actor, session
from web.register_words import request_kind
from web.request_words import do_word
from web.words import called, class_unit, class_word, level_word, role_word


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/routing", "rules", index)
    pages.add_url_rule("/routing/new", "rule_new", new, methods=["GET"])
    pages.add_url_rule("/routing/new", "rule_create", create, methods=["POST"])
    pages.add_url_rule("/routing/<ref>", "rule", edit, methods=["GET"])
    pages.add_url_rule("/routing/<ref>", "rule_change", change, methods=["POST"])
    pages.add_url_rule("/routing/<ref>/switch", "rule_switch", switch, methods=["POST"])
    pages.add_url_rule("/routing/<ref>/delete", "rule_delete", delete, methods=["POST"])


def index() -> str:
    """List the rules that say who has to approve what"""
    rules = lookups.routing_rules(session(), actor())
    return render_template(
        "routing.html",
        rules=[(rule, routing_words.conditions(rule.applies), routing_words.steps(rule.steps)) for rule in rules],
        may_write=allows(actor(), "routing.write"),
    )


def new() -> str:
    """Show the form for a rule"""
    authorize(actor(), "routing.write")
    return _form(None, {"enabled": "1", "role-1": "department_manager", "stage-1": "1", "hours-1": "72"}, {})


def create() -> str | Redirect | Response:
    """Add a rule"""
    authorize(actor(), "routing.write")
    read = routing_form.read(request.form)
    code = request.form.get("code", "").strip()
    if not routing_form.CODE.fullmatch(code):
        read.problems["code"] = _(
            "Lower-case letters, digits, dots and dashes, up to 63; the ends a letter or a digit."
        )
    if read.rule is None or read.problems:
        return make_response(_form(None, request.form, read.problems), 422)
    try:
        service.create(session(), actor(), code, read.rule)
    except Refusal as refusal:
        session().rollback()
        return make_response(_form(None, request.form, {"code": errors.message(refusal)}), refusal.status)
    return _kept(_("The rule was added. It counts for what is submitted from now on."))


def edit(ref: str) -> str:
    """Show a rule in the form that changes it"""
    rule = lookups.routing_rule_for(session(), actor(), ref, "routing.write")
    return _form(rule, routing_form.of(rule), {})


def change(ref: str) -> str | Redirect | Response:
    """Change a rule"""
    rule = lookups.routing_rule_for(session(), actor(), ref, "routing.write")
    read = routing_form.read(request.form)
    if read.rule is None or read.problems:
        return make_response(_form(rule, request.form, read.problems), 422)
    try:
        service.change(session(), actor(), ref, read.rule, routing_form.version(request.form))
    except Refusal as refusal:
        session().rollback()
        rule = lookups.routing_rule_for(session(), actor(), ref, "routing.write")
        return make_response(_form(rule, request.form, {"name": errors.message(refusal)}), refusal.status)
    return _kept(_("The rule was changed. It counts for what is submitted from now on."))


def switch(ref: str) -> Redirect:
    """Have a rule count or not"""
    rule = lookups.routing_rule_for(session(), actor(), ref, "routing.write")
    enabled = not rule.enabled
    service.change(session(), actor(), ref, routing_form.kept(rule, enabled), routing_form.version(request.form))
    return _kept(_("The rule counts again.") if enabled else _("The rule does not count any more."))


def delete(ref: str) -> Redirect:
    """Delete a rule"""
    service.delete(session(), actor(), ref)
    return _kept(_("The rule was deleted. What it demanded of requests under way stays demanded."))


def _kept(told: str) -> Redirect:
    flash(told, "good")
    return redirect(url_for("console.rules"))


def _form(rule: Any, form: Mapping[str, str], problems: Mapping[str, str]) -> str:
    chosen = getattr(form, "getlist", lambda name: form.get(name, "").split())
    subnets = [*catalogue.subnets(4), *catalogue.subnets(6), *catalogue.floating_subnets()]
    return render_template(
        "routing_form.html",
        rule=rule,
        form=form,
        problems=problems,
        does=[(do, do_word(do), do in chosen("do")) for do in routing_form.DOES],
        networks=[(s.code, f"{called(s)} ({s.cidr})", s.code in chosen("networks")) for s in subnets],
        kinds=[("", _("any")), *((kind, request_kind(kind)) for kind in ("vm", "quota"))],
        levels=[("", _("any")), *((level, level_word(level)) for level in (1, 2, 3, 4))],
        roles=[("", _("nobody")), *((role, role_word(role)) for role in routing_form.APPROVERS)],
        classes=[
            (name, class_word(name), unit or class_unit(name)) for name, (unit, _factor) in routing_form.FIELDS.items()
        ],
        rows=range(1, max(routing_form.ROWS, len(rule.steps) if rule else 0) + 1),
    )
