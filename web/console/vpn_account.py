"""One VPN account: its page, and what can be done to it."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from controlplane import lookups
from controlplane.errors import NotFound
from controlplane.lifecycle import IN_TRANSITION
from controlplane.paging import Listing
from controlplane.policy import allows
from controlplane.services import resources
from web.console.lease_orders import lease_of
from web.console.vpn_accounts import KIND, rows_of
from web.context import actor, session
from web.vpn_words import account_state, order_word
from web.words import action_word

_VERBS = {"suspend": "stop", "resume": "start", "retry": "retry", "revoke": "delete"}
"""What the page calls an order, and the verb of the kind that it is."""
_ICONS = {"suspend": "player-pause", "resume": "player-play", "retry": "rotate-clockwise", "revoke": "trash"}
_MOST_TUNNELS = 10
SOON, LATER = 2, 15
"""Seconds between two looks at an account: in transition, and settled."""


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/vpn-accounts/<uuid:ref>", "vpn_account", show)
    pages.add_url_rule("/vpn-accounts/<uuid:ref>/tunnels", "vpn_account_tunnels", resize, methods=["POST"])
    pages.add_url_rule("/vpn-accounts/<uuid:ref>/<verb>", "vpn_account_act", act, methods=["POST"])


def show(ref: UUID) -> str:
    """Show a VPN account"""
    return _page(lookups.resource_for(session(), actor(), KIND, ref))


def act(ref: UUID, verb: str) -> Redirect:
    """Do something to an account; revoking it has a page of its own first"""
    if verb not in _VERBS or verb == "revoke":
        lookups.resource_for(session(), actor(), KIND, ref)
        raise NotFound(noun="action", name=verb)
    account = resources.act(session(), actor(), resources.Order(KIND, ref, _VERBS[verb]))
    flash(_("%(verb)s: ordered for %(name)s.", verb=order_word(verb), name=account.name), "good")
    return _back(ref)


def resize(ref: UUID) -> Redirect | Response:
    """Say how many tunnels of an account may be up at once"""
    account = lookups.resource_for(session(), actor(), KIND, ref, "resource.change")
    given = request.form.get("max_sessions", "").strip()
    if not (given.isascii() and given.isdigit() and len(given) < 4 and 1 <= int(given) <= _MOST_TUNNELS):
        wrong = {"max_sessions": _("A whole number from 1 to %(most)s", most=_MOST_TUNNELS)}
        return make_response(_page(account, given, wrong), 422)
    order = resources.Order(KIND, ref, "resize", {"max_sessions": int(given)})
    account = resources.act(session(), actor(), order)
    flash(_("%(name)s may have %(count)s tunnels at once.", name=account.name, count=given), "good")
    return _back(ref)


def _page(account: Any, given: str | None = None, problems: dict[str, str] | None = None) -> str:
    [row] = rows_of([account])
    of_account = {"account": str(account.id)}
    tab = "history" if request.args.get("tab") == "history" else "summary"
    return render_template(
        "vpn/account.html",
        thing=account,
        aside=row.aside,
        person=row.person,
        state=account_state(account.state),
        tab=tab,
        group=lookups.vpn_group_of(session(), actor(), account),
        tunnels=lookups.vpn_sessions(session(), actor(), Listing(20, None, None, {**of_account, "up": "true"})).items,
        logins=lookups.vpn_logins(session(), actor(), Listing(10, None, None, of_account)).items,
        history=lookups.history(session(), actor(), account.id, 100 if tab == "history" else 5),
        lease=lease_of(account),
        verbs=_verbs(account),
        most_tunnels=_MOST_TUNNELS,
        max_sessions=account.wanted["max_sessions"] if given is None else given,
        problems=problems or {},
        may={
            "operate": allows(actor(), "resource.operate"),
            "change": allows(actor(), "resource.change") and not resources.obstacles(account)["resize"],
            "issue": allows(actor(), "vpn.issue") and account.desired == "present",
            "pool": allows(actor(), "pool.read"),
        },
        action_word=action_word,
        seconds=SOON if account.state in IN_TRANSITION else LATER,
    )


def _verbs(account: Any) -> list[dict[str, Any]]:
    """Return the buttons of an account; those that are impossible now say why."""
    obstacles = resources.obstacles(account)
    reasons = {
        "": "",
        "state": _("Not possible while it is: %(state)s", state=account_state(account.state)[0]),
        "hold": _("Not possible: it is on legal hold"),
        "quarantine": _("Not possible in quarantine: ask for more time first"),
    }
    return [
        {
            "verb": verb,
            "label": order_word(verb),
            "icon": _ICONS[verb],
            "reason": reasons[obstacles[known]],
            "link": url_for("console.vpn_account_revoke", ref=account.id) if verb == "revoke" else None,
        }
        for verb, known in _VERBS.items()
        if allows(actor(), resources.action_for(known))
    ]


def _back(ref: UUID) -> Redirect:
    return redirect(url_for("console.vpn_account", ref=ref))
