"""VPN accounts: the list of them, and what is done to many at once."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response as Redirect

from controlplane import lookups, persons
from controlplane.errors import NotFound, RowsRefused
from controlplane.lifecycle import STATES
from controlplane.paging import Listing, Page
from controlplane.persons import Person
from controlplane.policy import allows, authorize
from controlplane.services import vpn_orders
from web import errors, vpn_people
from web.console import choosing, places
from web.console.confirming import typed_right
from web.console.lists import Column, Filter, Table, file, shown
from web.console.returning import local
from web.context import actor, entrance, session
from web.vpn_words import account_state, order_word, why_not
from web.words import called

KIND = "vpn_account"
REFRESH_SECONDS = 5
BULK_VERBS = {"confirm": "circle-check", "suspend": "player-pause", "resume": "player-play", "revoke": "trash"}
ACTIONS = {
    "confirm": "lease.keep",
    "suspend": "resource.operate",
    "resume": "resource.operate",
    "revoke": "resource.delete",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One account with what it has beside its resource, and whose it is for those who may know."""

    account: Any
    aside: Any
    person: Person | None

    @property
    def id(self) -> UUID:
        return UUID(str(self.account.id))

    @property
    def name(self) -> str:
        return str(self.account.name)


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/vpn-accounts", "vpn_accounts", index)
    pages.add_url_rule("/vpn-accounts.csv", "vpn_accounts_csv", export)
    pages.add_url_rule("/vpn-accounts/bulk", "vpn_accounts_bulk", bulk, methods=["POST"])
    pages.add_url_rule("/vpn-accounts/<uuid:ref>/revoke", "vpn_account_revoke", ask_to_revoke, methods=["GET"])


def index() -> str | Redirect:
    """List VPN accounts"""
    moved = choosing.canonical("console.vpn_accounts")
    if moved:
        return redirect(moved)
    return render_template(
        "vpn/accounts.html",
        list=shown(_table()),
        may_ask=allows(actor(), "resource.create"),
        may_issue=allows(actor(), "vpn.issue"),
    )


def export() -> Response:
    """List VPN accounts as a file"""
    return file(_table())


def bulk() -> Redirect | Response | str:
    """Do one thing to many accounts, after a page that said to which"""
    verb = request.form.get("verb", "")
    if verb not in BULK_VERBS:
        authorize(actor(), "resource.operate")
        raise NotFound(noun="action", name=verb)
    authorize(actor(), ACTIONS[verb])
    refs = places.chosen(KIND, request.form.getlist("id"))
    back = local(request.form.get("next"), url_for("console.vpn_accounts"))
    if not refs:
        flash(_("No account was chosen; nothing was done."), "wait")
        return redirect(back)
    if not request.form.get("confirmed"):
        return _confirm(verb, refs, back)
    if verb == "revoke" and len(refs) > 1 and not typed_right(request.form.get("word", ""), *_words()):
        return make_response(_confirm(verb, refs, back, wrong_word=True), 422)
    return _do(verb, refs, back)


def ask_to_revoke(ref: UUID) -> str:
    """Say what revoking an account would end"""
    account = lookups.resource_for(session(), actor(), KIND, ref, "resource.delete")
    return _confirm("revoke", [account.id], url_for("console.vpn_account", ref=ref))


def rows_of(accounts: Sequence[Any]) -> list[Row]:
    """Return accounts that a lookup let the reader have, each with its other half: one read for all."""
    asides = lookups.vpn_accounts_of(session(), actor(), [account.id for account in accounts])
    keys = entrance().keys if allows(actor(), "vpn.person") else None
    return [
        Row(account, aside, persons.opened(keys, aside.person) if keys and aside else None)
        for account in accounts
        for aside in [asides.get(account.id)]
    ]


def _do(verb: str, refs: Sequence[UUID], back: str) -> Redirect | Response:
    """Order it, department by department in the one transaction."""
    accounts = lookups.resources_by_id(session(), actor(), KIND, refs)
    by_department: dict[UUID, list[UUID]] = defaultdict(list)
    for account in accounts:
        by_department[account.department_id].append(account.id)
    reasons = {ref: str(_("It is not there any more.")) for ref in refs if ref not in {a.id for a in accounts}}
    for department, ids in by_department.items():
        try:
            vpn_orders.act(session(), actor(), vpn_orders.Order(verb, vpn_orders.Which(department, ids)))
        except RowsRefused as refusal:
            reasons |= {ids[row]: why_not(problem, errors.message(problem)) for row, problem in refusal.problems}
    if reasons:
        session().rollback()
        return make_response(_confirm(verb, refs, back, reasons=reasons), RowsRefused.status)
    said = ngettext(
        "%(verb)s: ordered for %(num)s account.",
        "%(verb)s: ordered for %(num)s accounts.",
        len(refs),
        verb=order_word(verb),
    )
    flash(said, "good")
    return redirect(back)


def _confirm(
    verb: str, refs: Sequence[UUID], back: str, *, wrong_word: bool = False, reasons: Mapping[UUID, str] | None = None
) -> str:
    """Return the page that says what an order means and to whom, or why it cannot be."""
    accounts = lookups.resources_by_id(session(), actor(), KIND, refs)
    there = {account.id for account in accounts}
    return render_template(
        "vpn/confirm.html",
        verb=verb,
        verb_label=order_word(verb),
        symbol=BULK_VERBS[verb],
        rows=rows_of(accounts),
        asked=refs,
        back=back,
        after=url_for("console.vpn_accounts") if verb == "revoke" and len(refs) == 1 else back,
        word=_words()[0] if verb == "revoke" and len(refs) > 1 else None,
        wrong_word=wrong_word,
        reasons=reasons or {},
        missing=[ref for ref in reasons or {} if ref not in there],
        with_person=allows(actor(), "vpn.person"),
    )


def _words() -> tuple[str, ...]:
    return str(_("revoke")), "revoke", "吊销"


def _table() -> Table:
    may_ask = allows(actor(), "resource.create")
    return Table(
        id="vpn-accounts",
        label=_("VPN accounts"),
        endpoint="console.vpn_accounts",
        sort="name",
        columns=_columns(),
        filters=_filters(),
        fetch=_fetch,
        every=REFRESH_SECONDS,
        bulk=_bulk_verbs(),
        nothing={
            "title": _("No VPN account yet"),
            "advice": _("Ask for the first one; its password is handed out later, in a file that only you can open."),
            "url": url_for("console.vpn_account_new") if may_ask else None,
            "action": _("Ask for an account"),
        },
    )


def _bulk_verbs() -> list[dict[str, str]]:
    verbs = [
        {"verb": verb, "label": order_word(verb), "icon": icon}
        for verb, icon in BULK_VERBS.items()
        if allows(actor(), ACTIONS[verb])
    ]
    if allows(actor(), "vpn.issue"):
        url = url_for("console.vpn_passwords_chosen")
        verbs.append({"verb": "issue", "label": order_word("issue"), "icon": "key", "url": url})
    return verbs


def _fetch(listing: Listing) -> Page[Row]:
    found = lookups.vpn_accounts(session(), actor(), vpn_people.hidden(listing, entrance().keys))
    return found.of(rows_of(found.items))


def _columns() -> list[Column]:
    columns = [
        Column("name", _("User name"), lambda r: r.name, sortable=True),
        Column("state", _("State"), lambda r: account_state(r.account.state)[0], sortable=True),
        Column("department", _("Department"), lambda r: called(r.account.department)),
        Column("system", _("System"), lambda r: called(r.account.system) if r.account.system else None),
        Column("gateway", _("Gateway"), lambda r: r.account.pool.code, at_first=False),
        Column("max_sessions", _("Tunnels at once"), lambda r: r.account.wanted["max_sessions"], numeric=True),
        Column("issued_at", _("Password handed out"), lambda r: r.aside and r.aside.issued_at),
        Column("last_login_at", _("Last login"), lambda r: r.aside and r.aside.last_login_at),
        Column("lease", _("Lease until"), lambda r: r.account.lease_until),
        Column("confirmed_at", _("Confirmed"), lambda r: r.aside and r.aside.confirmed_at, at_first=False),
        Column("created_at", _("Created"), lambda r: r.account.created_at, sortable=True, at_first=False),
        Column("fault", _("Fault"), lambda r: r.account.fault_detail or r.account.fault_code, at_first=False),
        Column("id", _("Id"), lambda r: str(r.id), at_first=False),
    ]
    if allows(actor(), "vpn.person"):
        columns[1:1] = [
            Column("person", _("Person"), lambda r: r.person and r.person.name),
            Column("number", _("Staff number"), lambda r: r.person and r.person.number),
        ]
    return columns


def _filters() -> list[Filter]:
    states = [(state, account_state(state)[0]) for state in STATES if state != "deleted"]
    filters = [
        Filter("state", _("State"), states, said=_states_said()),
        Filter("confirm", _("Yearly confirmation"), [("due", _("To be confirmed"))]),
    ]
    if allows(actor(), "vpn.person"):
        filters.append(Filter("person", _("Person"), typed="text"))
        filters.append(Filter("number", _("Staff number"), typed="text"))
    filters += [*places.departments(), *places.systems(), *places.pools(KIND, _("Gateway"))]
    if request.args.get("request"):
        filters.append(Filter("request", _("Request"), said=request.args["request"][-8:]))
    return filters


def _states_said() -> str:
    return str(_(" or ")).join(account_state(s)[0] for s in request.args.get("state", "").split(",") if s)
