"""The console: pages for people, on the same services and lookups as the API."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Flask, g, request, url_for
from flask_babel import gettext as _

from controlplane import lookups
from controlplane.actor import Actor
from controlplane.errors import Forbidden, NotFound
from controlplane.policy import allows
from controlplane.services import notifications as inbox
from web import vpn_words
from web.console import (
    attachments,
    audit,
    choosing,
    consoles,
    departments,
    desk,
    drifts,
    identities,
    lease_orders,
    lease_policy,
    leases,
    notifications,
    oidc,
    overview,
    own_account,
    pools,
    progress,
    public_register,
    reports,
    request_form,
    request_list,
    request_page,
    routing,
    searching,
    security,
    sign_in,
    subnets,
    systems,
    tokens,
    users,
    vm,
    vm_new,
    vm_snapshots,
    vms,
    vpn_account,
    vpn_account_new,
    vpn_accounts,
    vpn_gateways,
    vpn_groups,
    vpn_import,
    vpn_passwords,
    vpn_tunnels,
    vpn_usage,
    webhooks,
)
from web.console.things import page_of
from web.language import language
from web.words import called, role_word, scale

pages = Blueprint("console", __name__)
for module in (
    consoles,
    overview,
    sign_in,
    oidc,
    own_account,
    searching,
    choosing,
    vms,
    vm_new,
    vm_snapshots,
    leases,
    lease_policy,
    lease_orders,
    vm,
    vpn_accounts,
    vpn_account_new,
    vpn_account,
    vpn_passwords,
    vpn_tunnels,
    vpn_usage,
    vpn_gateways,
    vpn_groups,
    request_list,
    request_form,
    request_page,
    desk,
    routing,
    departments,
    systems,
    drifts,
    pools,
    subnets,
    users,
    identities,
    tokens,
    security,
    audit,
    attachments,
    progress,
    reports,
    public_register,
    notifications,
    webhooks,
    vpn_import,
):
    module.register(pages)


def init_app(app: Flask) -> None:
    """Serve the console and give its templates what every page needs."""
    app.register_blueprint(pages)
    app.add_template_filter(called)
    app.add_template_global(scale, "amount_scale")
    app.add_template_global(page_of)
    app.jinja_env.globals["vpn"] = vpn_words
    app.add_template_global(lambda: allows(g.actor, "pool.read"), "may_pool")

    @app.context_processor
    def frame() -> dict[str, Any]:
        return {
            "actor": _person(),
            "nav": _navigation(),
            "unread": _unread(),
            "lang": language(),
            "request_id": g.get("trace"),
            "centre_name": app.config["CENTRE_NAME"],
        }


def _person() -> dict[str, Any] | None:
    actor = g.get("actor")
    if actor is None:
        return None
    return {"name": actor.name, "role": role_word(actor.role), "department_name": _department(actor)}


def _unread() -> int:
    """Return how many notifications the reader has not read."""
    actor = g.get("actor")
    return inbox.unread(g.session, actor) if actor is not None and allows(actor, "account.own") else 0


def _department(actor: Actor) -> str | None:
    if actor.department is None:
        return None
    try:
        return called(lookups.department_for(g.session, actor, actor.department, "department.read"))
    except (Forbidden, NotFound):  # a token may not read it, or it was closed while somebody of it is still signed in
        return None


def _navigation() -> list[dict[str, Any]]:
    """Return the entries that the reader's role may open, under the words that it knows them by."""
    actor = g.get("actor")
    if actor is None:
        return []
    entries = _of_department(actor.department) if actor.department else _of_centre()
    count = desk.waiting()
    shown = [
        {"label": label, "url": url_for(endpoint, **values), "icon": icon, "active": _is_here(endpoint, values)}
        | ({"count": count} if endpoint == "console.inbox" else {})
        for endpoint, values, action, label, icon in entries
        if allows(actor, action) or (count and endpoint == "console.inbox")
    ]
    return [{"label": "", "entries": shown}]


_Entry = tuple[str, dict[str, Any], str, str, str]


def _of_centre() -> tuple[_Entry, ...]:
    return (
        ("console.home", {}, "resource.read", _("Overview"), "layout-dashboard"),
        ("console.inbox", {}, "request.decide", _("Waiting for me"), "clipboard-check"),
        ("console.requests", {}, "request.read", _("Requests"), "clipboard-list"),
        ("console.vms", {}, "resource.read", _("Virtual machines"), "server"),
        ("console.vpn_accounts", {}, "resource.read", _("VPN"), "plug"),
        ("console.departments", {}, "department.read", _("Departments"), "building-bank"),
        ("console.systems", {}, "system.read", _("Business systems"), "stack-2"),
        ("console.subnets", {}, "catalogue.read", _("Subnets"), "network"),
        ("console.leases", {}, "resource.read", _("Leases"), "calendar"),
        ("console.drifts", {}, "drift.read", _("Drift"), "git-compare"),
        ("console.holds", {}, "lease.hold", _("Legal holds"), "shield-lock"),
        ("console.users", {}, "user.read", _("Users"), "users"),
        ("console.tokens", {}, "token.read", _("Tokens"), "key"),
        ("console.rules", {}, "routing.read", _("Who approves what"), "route"),
        ("console.policy", {}, "policy.read", _("Roles and rights"), "shield-check"),
        ("console.webhooks", {}, "webhook.read", _("Webhooks"), "send"),
        ("console.security", {}, "session.read", _("Sign-in security"), "lock"),
        ("console.register", {}, "request.read", _("Public register"), "world"),
        ("console.report_decisions", {}, "centre.read", _("Times to decision"), "chart-bar"),
        ("console.audit", {}, "audit.read", _("Audit trail"), "history"),
        ("docs.page", {}, "catalogue.read", _("API"), "code"),
    )


def _of_department(department: UUID) -> tuple[_Entry, ...]:
    return (
        ("console.home", {}, "resource.read", _("Overview"), "layout-dashboard"),
        ("console.vms", {}, "resource.read", _("Our machines"), "server"),
        ("console.vm_new", {}, "resource.create", _("Ask for machines"), "file-plus"),
        ("console.vpn_accounts", {}, "resource.read", _("VPN"), "plug"),
        ("console.leases", {}, "resource.read", _("Leases"), "calendar"),
        ("console.requests", {}, "request.read", _("Our requests"), "clipboard-list"),
        ("console.inbox", {}, "request.decide", _("Waiting for me"), "clipboard-check"),
        ("console.systems", {}, "system.read", _("Our systems"), "stack-2"),
        ("console.department", {"ref": department}, "department.read", _("Quota and usage"), "gauge"),
        ("console.register", {}, "request.read", _("Public register"), "world"),
        ("console.users", {}, "user.read", _("People"), "users"),
        ("console.tokens", {}, "token.read", _("Tokens"), "key"),
        ("console.webhooks", {}, "webhook.read", _("Webhooks"), "send"),
        ("console.audit", {}, "audit.read", _("Audit trail"), "history"),
        ("docs.page", {}, "catalogue.read", _("API"), "code"),
    )


_ASKING = {"console.vm_new", "console.vm_ask"}
_PAGES_OF = {
    "console.register": {"console.register", "console.register_settings"},
    "console.vms": {"console.vms", "console.vm", "console.vms_bulk", "console.vm_delete"}
    | {"console.vm_resize", "console.vm_rebuild", "console.vm_float", "console.vm_snapshots"},
    "console.vm_new": _ASKING,
    "console.vpn_accounts": {
        f"console.vpn_{page}"
        for page in (
            *(
                "accounts",
                "account",
                "accounts_bulk",
                "account_revoke",
                "account_tunnels",
                "account_new",
                "account_ask",
            ),
            *("passwords", "passwords_issue", "passwords_chosen", "sessions", "logins", "usage", "gateways", "gateway"),
            *("group", "group_new", "group_create", "group_change", "group_delete"),
        )
    }
    | {"console.import", "console.import_send", "console.import_show"},
    "console.leases": {f"console.{page}" for page in ("leases", "leases_calendar", "unused", "leases_policy")}
    | {"console.leases_policy_set"},
    "console.departments": {f"console.department{page}" for page in ("s", "", "_quota", "_ingress")},
    "console.department": {"console.department", "console.department_ingress"},
    "console.systems": {"console.systems", "console.system"},
    "console.requests": {
        f"console.request{page}" for page in ("s", "", "_new", "_create", "_edit", "_comment", "_decide")
    }
    | {"console.request_submit", "console.request_withdraw", "console.request_hand_over"},
    "console.rules": {f"console.rule{page}" for page in ("s", "", "_new", "_create", "_change")},
    "console.users": {f"console.{page}" for page in ("users", "user", "user_new", "user_create", "user_confirm")}
    | {"console.user_act"},
    "console.webhooks": {f"console.webhook{page}" for page in ("s", "", "_new", "_create", "_change", "_deliveries")},
    "console.tokens": {"console.tokens", "console.token_new", "console.token_create"},
}
"""Which pages stand under an entry that is more than one page."""


def _is_here(endpoint: str, values: dict[str, Any]) -> bool:
    pages_of = _PAGES_OF.get(endpoint, {endpoint})
    if endpoint == "console.vms" and g.actor.department is None:
        pages_of = pages_of | _ASKING
    here = request.endpoint in pages_of
    return here and all((request.view_args or {}).get(name) == value for name, value in values.items())
