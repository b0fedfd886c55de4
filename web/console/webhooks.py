"""Webhooks: the list, making and changing one, its log, and sending something once more."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from pydantic import ValidationError
from werkzeug.wrappers import Response as Redirect

from controlplane import lookups
from controlplane.errors import NotFound, Refusal
from controlplane.paging import Listing
from controlplane.policy import allows, authorize
from controlplane.services import webhooks as service
from controlplane.services.webhooks import NewWebhook
from controlplane.telling.events import EVENTS, Language, words
from web import errors
from web.console import choosing
from web.console.lists import Column, Filter, Table, file, shown
from web.context import actor, arrival, entrance, session, webhooks_allowed
from web.language import language
from web.telling_schemas import WebhookBody
from web.telling_words import delivery_word
from web.words import called

_LATEST = 20
_STATES = ("waiting", "held", "delivered", "failed", "dropped")


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    for path, name, view, method in (
        ("/webhooks", "webhooks", index, "GET"),
        ("/webhooks.csv", "webhooks_csv", export, "GET"),
        ("/webhooks/deliveries", "webhook_deliveries", deliveries, "GET"),
        ("/webhooks/deliveries.csv", "webhook_deliveries_csv", export_deliveries, "GET"),
        ("/webhooks/new", "webhook_new", new, "GET"),
        ("/webhooks/new", "webhook_create", create, "POST"),
        ("/webhooks/<uuid:ref>", "webhook", show, "GET"),
        ("/webhooks/<uuid:ref>", "webhook_change", change, "POST"),
        ("/webhooks/<uuid:ref>/switch", "webhook_switch", switch, "POST"),
        ("/webhooks/<uuid:ref>/rotate", "webhook_rotate", rotate, "POST"),
        ("/webhooks/<uuid:ref>/replay", "webhook_replay", replay, "POST"),
        ("/webhooks/<uuid:ref>/delete", "webhook_delete", delete, "POST"),
    ):
        pages.add_url_rule(path, name, view, methods=[method])


def index() -> str:
    """List webhooks"""
    return render_template("webhooks.html", list=shown(_table()), may_write=allows(actor(), "webhook.write"))


def export() -> Response:
    """List webhooks as a file"""
    return file(_table())


def deliveries() -> str:
    """List what was delivered to webhooks or is to be"""
    return render_template("webhook_deliveries.html", list=shown(_log()), **_of_log())


def export_deliveries() -> Response:
    """List what was delivered to webhooks as a file"""
    return file(_log())


def new() -> str:
    """Offer the form for a webhook"""
    authorize(actor(), "webhook.write")
    return _form({}, {}, ())


def create() -> str | Response:
    """Make a webhook, and show its secret this once"""
    authorize(actor(), "webhook.write")
    given, chosen = _given(), tuple(request.form.getlist("event"))
    try:
        typed = given.get("department", "")
        department = choosing.department(typed).code if typed else None
        asked = WebhookBody(name=given["name"], url=given["url"], department=department, events=list(chosen))
        wanted = NewWebhook(asked.name, asked.url, asked.department, tuple(asked.events))
        made, secret = service.create(session(), actor(), entrance().keys, webhooks_allowed(), wanted)
    except ValidationError as error:
        fields = {str(problem["loc"][0]) for problem in error.errors()}
        return make_response(_form(given, dict.fromkeys(fields, _("Fill this in.")), chosen), 422)
    except Refusal as refusal:
        session().rollback()
        where = "department" if isinstance(refusal, NotFound) else str(refusal.values.get("field", "url"))
        return make_response(_form(given, {where: errors.message(refusal)}, chosen), refusal.status)
    return render_template("webhook_made.html", webhook=made, secret=secret)


def show(ref: UUID) -> str:
    """Show a webhook"""
    return _page(ref)


def change(ref: UUID) -> Response | Redirect:
    """Change a webhook"""
    authorize(actor(), "webhook.write")
    given = _given()
    values = {"name": given["name"], "url": given["url"], "events": request.form.getlist("event")}
    lookups.webhook_for(session(), actor(), ref)
    try:
        WebhookBody.model_validate(values)
        service.change(session(), actor(), webhooks_allowed(), ref, values)
    except ValidationError as error:
        fields = {str(problem["loc"][0]) for problem in error.errors()}
        return make_response(_page(ref, dict.fromkeys(fields, _("Fill this in."))), 422)
    except Refusal as refusal:
        session().rollback()
        return make_response(_page(ref, {"url": errors.message(refusal)}), refusal.status)
    flash(_("The webhook is changed."), "good")
    return redirect(url_for("console.webhook", ref=ref))


def switch(ref: UUID) -> Redirect:
    """Disable a webhook, or enable it again"""
    enabled = request.form.get("enabled") == "true"
    service.change(session(), actor(), webhooks_allowed(), ref, {"enabled": enabled})
    flash(_("The webhook is enabled.") if enabled else _("The webhook is disabled."), "good")
    return redirect(url_for("console.webhook", ref=ref))


def rotate(ref: UUID) -> str:
    """Give a webhook another secret, and show it this once"""
    changed, secret = service.rotate(session(), actor(), entrance().keys, ref, arrival().now)
    return render_template("webhook_made.html", webhook=changed, secret=secret, rotated=True)


def replay(ref: UUID) -> Redirect:
    """Have something delivered once more"""
    authorize(actor(), "webhook.write")
    given = request.form.get("delivery", "")
    lookups.webhook_for(session(), actor(), ref)
    try:
        service.replay(session(), actor(), ref, UUID(given))
    except ValueError:
        raise NotFound(noun="delivery", name=given) from None
    except Refusal as refusal:
        session().rollback()
        flash(errors.message(refusal), "bad")
    else:
        flash(_("It is sent once more within a few seconds."), "good")
    return redirect(url_for("console.webhook", ref=ref))


def delete(ref: UUID) -> Redirect:
    """Delete a webhook with its log, if it is still the one of the name that was read"""
    authorize(actor(), "webhook.write")
    if lookups.webhook_for(session(), actor(), ref).name != request.form.get("name"):
        flash(_("Nothing was deleted: it has another name by now."), "bad")
        return redirect(url_for("console.webhook", ref=ref))
    service.remove(session(), actor(), ref)
    flash(_("The webhook is deleted."), "good")
    return redirect(url_for("console.webhooks"))


def _given() -> dict[str, str]:
    return {name: request.form.get(name, "").strip() for name in ("name", "url", "department")}


def _page(ref: UUID, problems: dict[str, str] | None = None) -> str:
    found = lookups.webhook_for(session(), actor(), ref)
    latest = lookups.deliveries(session(), actor(), Listing(_LATEST, filters={"webhook": str(ref)}))
    return render_template(
        "webhook.html",
        webhook=found,
        latest=latest.items,
        problems=problems or {},
        events=_events(),
        may_write=allows(actor(), "webhook.write"),
        now=arrival().now,
        **_of_log(),
    )


def _form(given: dict[str, str], problems: dict[str, str], chosen: tuple[str, ...]) -> str:
    of_department = actor().scope is not None
    return render_template(
        "webhook_new.html", form=given, problems=problems, chosen=chosen, events=_events(), of_department=of_department
    )


def _events() -> list[tuple[str, str]]:
    said: Language = "en" if language() == "en" else "zh"
    return [(event, words(event, {}, said).subject.replace("—", "").strip(" :：")) for event in EVENTS]


def _of_log() -> dict[str, Any]:
    return {"delivery_word": delivery_word, "may_replay": allows(actor(), "webhook.write")}


def _state(webhook: Any) -> str:
    words_of = {None: _("In service"), "failing": _("Disabled: it failed too often")}
    return str(words_of.get(webhook.disabled_reason, _("Disabled")))


def _table() -> Table:
    return Table(
        id="webhooks",
        label=_("Webhooks"),
        endpoint="console.webhooks",
        sort="-created_at",
        columns=[
            Column("name", _("Name"), lambda w: w.name),
            Column("department", _("Department"), lambda w: called(w.department) if w.department else _("the centre")),
            Column("url", _("Address"), lambda w: w.url),
            Column("events", _("Events"), lambda w: ", ".join(w.events) or _("all")),
            Column("state", _("State"), _state),
            Column("failures", _("Failures in a row"), lambda w: w.failures, numeric=True),
            Column("created_at", _("Created"), lambda w: w.created_at, sortable=True, at_first=False),
        ],
        filters=[Filter("enabled", _("State"), [("true", _("In service")), ("false", _("Disabled"))])],
        fetch=lambda listing: lookups.webhooks(session(), actor(), listing),
        more_filters=(),
        nothing={
            "title": _("No webhook yet"),
            "advice": _("A webhook tells a program of yours what happens, by a signed POST."),
            "url": url_for("console.webhook_new"),
            "action": _("New webhook"),
        },
    )


def _log() -> Table:
    return Table(
        id="deliveries",
        label=_("Deliveries"),
        endpoint="console.webhook_deliveries",
        sort="-made_at",
        columns=[
            Column("event", _("Event"), lambda d: d.event),
            Column("webhook", _("Webhook"), lambda d: d.webhook.name),
            Column("state", _("State"), lambda d: delivery_word(d.state)),
            Column("status", _("Answer"), lambda d: f"{d.status or ''} {d.answer or ''}".strip()),
            Column("error", _("Error"), lambda d: d.last_error),
            Column("attempts", _("Tries"), lambda d: d.attempts, numeric=True),
            Column("made_at", _("Happened"), lambda d: d.made_at, sortable=True),
            Column("last_try_at", _("Last try"), lambda d: d.last_try_at),
            Column("id", _("Id"), lambda d: str(d.id), at_first=False),
        ],
        filters=[Filter("state", _("State"), [(state, delivery_word(state)) for state in _STATES])],
        fetch=lambda listing: lookups.deliveries(session(), actor(), listing),
        more_filters=("webhook",),
        nothing={"title": _("Nothing was delivered yet"), "advice": "", "url": None, "action": None},
    )
