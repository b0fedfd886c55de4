"""What every route is for, by this test's own word: the actions of the policy that it takes, and whose thing it names.

Nothing of it is read from the code that it judges. A route that is not here fails `make check-access`, and so does one
that is here and no longer served.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.factories import vm

OPEN = "open"
"""Stands in place of an action: whoever knows nobody may call it."""
OWN = "account.own"


@dataclass(frozen=True)
class Route:
    """One route of the table.

    `actions`: all of them are needed. `owned`: it names a thing of the department "environment". `seen_by`: the action
    without which that thing is not found, rather than forbidden. `sent`: what a write says, JSON at the API and a form
    at the console; no API write is more than a dry run. `verb`, `query`: what stands in the address. `by_token`: what a
    token is answered where only a person at a browser may come. `elsewhere`: what people of another department are
    answered. `says`: further answers that are none of access.
    """

    endpoint: str
    actions: tuple[str, ...]
    owned: bool = False
    sent: Mapping[str, Any] = field(default_factory=dict)
    seen_by: str = ""
    verb: str = ""
    query: str = ""
    by_token: int = 0
    elsewhere: int = 404
    says: frozenset[int] = frozenset()

    @property
    def open(self) -> bool:
        return self.actions == (OPEN,)


def _all(*endpoints: str, needs: str | tuple[str, ...], **more: Any) -> tuple[Route, ...]:
    actions = (needs,) if isinstance(needs, str) else needs
    return tuple(Route(endpoint, actions, **more) for endpoint in endpoints)


_CONTACT = {"name": "x", "phone": "1", "email": "x@x"}
_NAMED = {"code": "x", "name": "x"}
_PLACE = {**_NAMED, "site": "nm"}
_OURS = {"department": "environment"}

_CATALOGUE = (
    *_all(
        *("sites.list_sites", "flavors.list_flavors", "images.list_images", "subnets.list_subnets"),
        *("sites.show_site", "flavors.show_flavor", "images.show_image", "subnets.show_subnet"),
        *("docs.page", "docs.description"),
        needs="catalogue.read",
    ),
    Route("sites.create_site", ("catalogue.write",), sent={**_NAMED, "name_en": "x", "level": "county"}),
    Route("flavors.create_flavor", ("catalogue.write",), sent={**_NAMED, "vcpu": 1, "memory_mib": 1024, "disk_gib": 1}),
    Route("images.create_image", ("catalogue.write",), sent={**_NAMED, "os": "x", "min_disk_gib": 1}),
    Route("subnets.create_subnet", ("catalogue.write",), sent={**_PLACE, "cidr": "10.9.0.0/24", "network": "x"}),
    *_all(
        *("flavors.update_flavor", "images.update_image", "subnets.update_subnet"),
        *("flavors.delete_flavor", "images.delete_image", "subnets.delete_subnet"),
        needs=("catalogue.read", "catalogue.write"),
    ),
)

_TENANTS = (
    *_all("departments.index", needs="department.read"),
    *_all("departments.show", needs="department.read", owned=True),
    *_all("departments.quota", needs="quota.read", owned=True),
    Route("departments.create", ("department.write",), sent={**_PLACE, "name_en": "x"}),
    *_all("departments.update", "departments.delete", needs="department.write", owned=True),
    Route("departments.set_quota", ("quota.write", "quota.read"), owned=True, sent={"limits": {}}),
    *_all("systems.index", needs="system.read"),
    *_all("systems.show", needs="system.read", owned=True),
    Route(
        "systems.create",
        ("system.write",),
        owned=True,
        sent={**_OURS, "code": "x", "name": "x", "name_en": "x", "mlps_level": 2, "contact": _CONTACT},
    ),
    *_all("systems.update", "systems.delete", needs="system.write", owned=True),
    *_all("ingress_rules.index", needs="ingress.read"),
    *_all("ingress_rules.show", needs="ingress.read", owned=True),
    Route(
        "ingress_rules.create",
        ("ingress.write",),
        owned=True,
        sent={**_OURS, "protocol": "tcp", "ports": "22", "source": "10.0.0.0/8"},
    ),
    *_all("ingress_rules.delete", needs="ingress.write", owned=True),
)

_ITEM = {"do": "create", "kind": "vm", "spec": vm("z")}
_ASKS, _DECIDES = ("request.ask", "request.read"), ("request.decide", "request.read")
_RULE = {"name": "x", "name_en": "x", "applies": {}, "steps": []}

# A request is changed by whom it is of alone, and decided on by somebody else: whoever may, is told that it is not his.
_REQUESTS = (
    Route("requests.create", _ASKS, owned=True, sent={**_OURS, "title": "x", "items": [_ITEM]}),
    Route("requests.amend", _ASKS, owned=True, sent={"title": "y"}, says=frozenset({403})),
    *_all("requests.submit", "requests.withdraw", needs=_ASKS, owned=True, says=frozenset({403})),
    *_all("requests.approve", "requests.give_back", "requests.refuse", needs=_DECIDES, owned=True),
    Route("requests.hand_over", _DECIDES, owned=True, sent={"to": "wang"}),
    *_all("requests.inbox", needs="request.read"),
    *_all("requests.impact", "requests.comments", needs="request.read", owned=True),
    Route("requests.comment", ("request.comment",), owned=True, sent={"body": "x"}),
    *_all("routing_rules.index", "routing_rules.show", needs="routing.read"),
    Route("routing_rules.create", ("routing.write",), sent={**_RULE, "code": "x"}),
    Route("routing_rules.change", ("routing.write",), sent=_RULE),
    *_all("routing_rules.delete", needs="routing.write"),
)

_MACHINES = (
    *_all("vms.index", needs="resource.read"),
    *_all("requests.index", needs="request.read"),
    *_all("requests.show", needs="request.read", owned=True),
    *_REQUESTS,
    *_all("vms.show", needs="resource.read", owned=True),
    *_all("vms.history", needs=("resource.read", "resource.history"), owned=True),
    Route("vms.create", ("resource.create",), owned=True, sent=vm("x", **_OURS)),
    Route("vms.create_many", ("resource.create",), owned=True, sent={**_OURS, "vms": [vm("y")]}),
    *_all("vms.start", "vms.stop", "vms.reboot", "vms.retry", needs="resource.operate", owned=True),
    Route("vms.resize", ("resource.change",), owned=True, sent={"flavor": "small"}),
    Route("vms.float_", ("resource.change",), owned=True, sent={"subnet": "business"}, says=frozenset({422})),
    *_all("vms.unfloat", needs="resource.change", owned=True, says=frozenset({409})),
    Route("vms.snapshot", ("resource.change",), owned=True, sent={"name": "x"}, says=frozenset({409})),
    Route("vms.restore", ("resource.change",), owned=True, sent={"snapshot": "x"}, says=frozenset({404, 409})),
    *_all("vms.drop_snapshot", needs="resource.change", owned=True, says=frozenset({404, 409})),
    *_all("vms.rebuild", "vms.console", needs="resource.change", owned=True),
    *_all("vms.delete", needs="resource.delete", owned=True),
    *_all("vms.act_many", needs=("resource.operate", "resource.read"), owned=True, verb="stop", elsewhere=422),
    *_all("vms.act_many", needs=("resource.delete", "resource.read"), owned=True, verb="delete", elsewhere=422),
)

_REGISTER = {"public": True, "titles": False}
_PERIOD = "?from=2026-11-01T00:00:00Z&to=2026-12-01T00:00:00Z"
_SHOWN = (
    *_all("requests_attachments.index", "attachments.show", "attachments.content", needs="request.read", owned=True),
    *_all("requests_attachments.add", "console.request_attach", needs="request.attach", owned=True),
    *_all("attachments.remove", "console.attachment_remove", needs="request.ask", owned=True),
    *_all("console.attachment", needs="request.read", owned=True),
    *_all(
        "requests_progress.make", "requests_progress.show", "requests_progress.revoke", needs="request.ask", owned=True
    ),
    *_all("console.request_link", "console.request_unlink", needs="request.ask", owned=True),
    Route("console.progress", (OPEN,), says=frozenset({404})),
    *_all("register.index", "register.settings", needs="request.read"),
    Route("register.change", ("register.write",), sent=_REGISTER),
    *_all("console.register", "console.register_csv", needs=OPEN, says=frozenset({404})),
    *_all("console.register_settings", needs="register.write"),
    *_all("reports.decisions", "reports.vpn_usage", needs="centre.read", query=_PERIOD),
    *_all("console.report_decisions", "console.report_decisions_csv", needs="centre.read"),
)

_END = "2990-01-01T00:00:00Z"
_LAST_DAY = {"lease_until": "2990-01-01"}
_WITHIN = {"lease_until": _END}
_LEASES = (
    *_all("leases.index", "leases.show_policy", "unused.unused", needs="resource.read"),
    *_all("leases.set_policy", needs="lease.write"),
    *_all("holds.holds", needs="lease.hold"),
    Route("vms.set_lease", ("lease.write",), owned=True, sent=_WITHIN),
    *_all("vms.keep", needs="lease.keep", owned=True),
    Route("vms.hold", ("lease.hold",), owned=True, sent={"reason": "x"}),
    *_all("vms.lift", needs="lease.hold", owned=True, says=frozenset({409})),
    *_all("console.leases", "console.leases_csv", "console.leases_calendar", needs="resource.read"),
    *_all("console.unused", "console.unused_csv", needs="resource.read"),
    *_all("console.leases_policy", needs="lease.write"),
    Route("console.leases_policy_set", ("lease.write",), sent={"answer_days": "14", "keep_days": "180"}),
    *_all("console.holds", "console.holds_csv", needs="lease.hold"),
    Route("console.holds_add", ("lease.hold",), says=frozenset({404})),
    *_all("console.vm_lease", needs="lease.write", owned=True),
    *_all("console.vm_extension", needs=("resource.read", "request.ask"), owned=True, sent=_LAST_DAY),
    *_all("console.vm_keep", needs="lease.keep", owned=True),
    *_all("console.vm_hold", "console.vm_lift", needs="lease.hold", owned=True, says=frozenset({409})),
)

_PERSON = {"username": "x", "person": {"name": "x", "number": "x"}}
_VPN = (
    *_all("vpn_accounts.index", "vpn_groups.index", needs="resource.read"),
    *_all("vpn_accounts.show", "vpn_groups.show", needs="resource.read", owned=True),
    *_all("vpn_accounts.history", needs=("resource.read", "resource.history"), owned=True),
    Route("vpn_accounts.create", ("resource.create",), owned=True, sent={**_OURS, **_PERSON}),
    Route("vpn_accounts.create_many", ("resource.create",), owned=True, sent={**_OURS, "accounts": [_PERSON]}),
    *_all("vpn_accounts.order_many", needs="resource.operate", owned=True, verb="suspend", sent=_OURS),
    *_all("vpn_accounts.order_many", needs="resource.delete", owned=True, verb="revoke", sent=_OURS),
    Route("vpn_accounts.order_many", ("lease.write",), owned=True, verb="extend", sent={**_OURS, "until": _END}),
    Route("vpn_accounts.move_many", ("resource.change",), owned=True, sent={**_OURS, "to_system": None}),
    Route("vpn_accounts.credentials", ("vpn.issue",), owned=True, sent={**_OURS, "passphrase": "long enough it is"}),
    *_all("vpn_accounts.suspend", needs="resource.operate", owned=True),
    *_all("vpn_accounts.resume", "vpn_accounts.retry", needs="resource.operate", owned=True, says=frozenset({409})),
    Route("vpn_accounts.resize", ("resource.change",), owned=True, sent={"max_sessions": 2}),
    *_all("vpn_accounts.delete", needs="resource.delete", owned=True),
    Route("vpn_accounts.set_lease", ("lease.write",), owned=True, sent={"lease_until": _END}),
    *_all("vpn_accounts.keep", needs="lease.keep", owned=True),
    Route("vpn_accounts.hold", ("lease.hold",), owned=True, sent={"reason": "x"}),
    *_all("vpn_accounts.lift", needs="lease.hold", owned=True, says=frozenset({409})),
    Route("vpn_groups.create", ("pool.write",), sent={**_OURS, "gateway": "vpn-2"}),
    *_all("vpn_groups.update", needs="pool.write", owned=True),
    *_all("vpn_groups.delete", needs="pool.write", owned=True, says=frozenset({409})),
    *_all("vpn_sessions.index", "vpn_logins.tries", needs="resource.read"),
    *_all("vpn_sessions.show", needs="resource.read", owned=True),
    *_all("vpn_sessions.disconnect", needs="resource.operate", owned=True),
)

_IMPORTS = (
    *_all("vpn_imports.index", needs="vpn.person"),
    *_all("vpn_imports.show", needs="vpn.person", owned=True),
    *_all("vpn_imports.create", "vpn_imports.template", needs="resource.create"),
    *_all("vpn_imports.start", "vpn_imports.discard", needs="resource.create", owned=True, says=frozenset({409})),
    *_all("console.import", "console.import_send", needs=("vpn.person", "resource.create")),
    *_all("console.import_template", needs="resource.create"),
    *_all("console.import_show", "console.import_problems", needs="vpn.person", owned=True),
    *_all("console.import_start", "console.import_discard", needs="resource.create", owned=True, says=frozenset({409})),
)

_GROUP = {"gateway": "vpn-2", "networks": "10.1.0.0/24"}
_TUNNELS = {"max_sessions": "2"}
_VPN_PAGES = (
    *_all("console.vpn_accounts", "console.vpn_accounts_csv", needs="resource.read"),
    *_all("console.vpn_account", needs=("resource.read", "resource.history"), owned=True),
    *_all(
        "console.vpn_account_new", "console.vpn_account_new_impact", "console.vpn_account_ask", needs="resource.create"
    ),
    *_all("console.vpn_account_act", needs="resource.operate", owned=True, verb="suspend"),
    *_all("console.vpn_account_tunnels", needs="resource.change", owned=True, sent=_TUNNELS),
    *_all("console.vpn_account_revoke", needs=("resource.delete", "resource.read"), owned=True),
    *_all("console.vpn_accounts_bulk", needs=("resource.operate", "resource.read"), sent={"verb": "suspend"}),
    *_all("console.vpn_accounts_bulk", needs=("resource.delete", "resource.read"), sent={"verb": "revoke"}),
    *_all("console.vpn_accounts_bulk", needs=("lease.keep", "resource.read"), sent={"verb": "confirm"}),
    *_all("console.vpn_account_lease", needs="lease.write", owned=True),
    *_all("console.vpn_account_extension", needs=("resource.read", "request.ask"), owned=True, sent=_LAST_DAY),
    *_all("console.vpn_account_keep", needs="lease.keep", owned=True),
    Route("console.vpn_account_hold", ("lease.hold",), owned=True, sent={"reason": "x"}),
    *_all("console.vpn_account_lift", needs="lease.hold", owned=True),
    *_all("console.vpn_passwords", "console.vpn_passwords_issue", "console.vpn_passwords_chosen", needs="vpn.issue"),
    *_all("console.vpn_sessions", "console.vpn_sessions_csv", needs="resource.read"),
    *_all("console.vpn_logins", "console.vpn_logins_csv", needs="resource.read"),
    *_all("console.vpn_session_disconnect", needs="resource.operate", owned=True),
    *_all("console.vpn_gateways", "console.vpn_gateways_csv", needs="pool.read"),
    *_all("console.vpn_usage", "console.vpn_usage_csv", needs="centre.read"),
    *_all("console.vpn_gateway", "console.vpn_gateway_csv", needs=("pool.read", "resource.read")),
    Route("console.vpn_group_new", ("pool.write",)),
    Route("console.vpn_group_create", ("pool.write",), sent=_GROUP),
    *_all("console.vpn_group", "console.vpn_group_change", needs="pool.write", owned=True),
    *_all("console.vpn_group_delete", needs="pool.write", owned=True),
)

_POOLS = (
    *_all("pools.index", "pools.show", "pools.catalogue", needs="pool.read"),
    *_all("console.pool", "console.pool_csv", needs="pool.read"),
    Route(
        "pools.create",
        ("pool.write",),
        sent={**_PLACE, "kind": "vm", "mlps_level": 2, "driver": "fake", "connection": {}, "capacity": {}},
    ),
    *_all("pools.update", "pools.delete", needs="pool.write"),
    *_all("drifts.index", "drifts.show", "drifts.checks", needs="drift.read"),
    *_all("drifts.check", "drifts.repair", "drifts.accept", needs="drift.decide"),
    *_all("drifts.adopt", needs=("drift.decide", "resource.create"), sent={**_OURS, "system": "monitoring"}),
    *_all("centre.bulletin", "health.metrics", needs="centre.read"),
)

_ACCOUNTS = (
    *_all("centre.whoami", "tokens.index", "sessions.index", needs=OWN),
    Route("tokens.create", (OWN,), sent={"name": "x"}, by_token=403),
    Route("tokens.revoke", (OWN, "token.revoke"), owned=True, seen_by="token.read"),
    Route("sessions.end", (OWN, "session.end"), seen_by="session.read"),
    *_all("users.index", needs="user.read"),
    *_all("users.show", needs="user.read", owned=True),
    Route(
        "users.create",
        ("user.write",),
        owned=True,
        sent={**_OURS, "username": "x", "name": "x", "role": "department_member"},
    ),
    *_all("users.update", "users.disable", "users.enable", "users.remove", needs="user.write", owned=True),
    *_all("users.reset_password", "users.reset_second_factor", needs="user.write", owned=True),
    *_all("users.link", needs=("role.grant", "user.write"), owned=True, sent={"login": "x"}),
    *_all("users.unlink", needs=("role.grant", "user.write"), owned=True),
    *_all("policy.index", needs="policy.read"),
)

_HOOK = {"name": "x", "url": "https://hook.example/"}

_TOLD = (
    *_all("notifications.index", "notifications.read", "notifications.preferences", needs=OWN),
    *_all("notifications.set_preferences", needs=OWN),
    *_all("console.notifications", "console.notifications_csv", "console.notifications_read", needs=OWN),
    *_all("console.account_mail", needs=OWN, by_token=401),
    *_all("webhooks.index", needs="webhook.read"),
    *_all("webhooks.show", "webhooks.deliveries", needs="webhook.read", owned=True),
    Route("webhooks.create", ("webhook.write",), owned=True, sent={**_OURS, **_HOOK}),
    *_all("webhooks.update", "webhooks.rotate", "webhooks.remove", needs="webhook.write", owned=True),
    Route("webhooks.replay", ("webhook.write",), owned=True, sent={"delivery": str(uuid4())}, says=frozenset({404})),
    *_all("console.webhooks", "console.webhooks_csv", needs="webhook.read"),
    *_all("console.webhook_deliveries", "console.webhook_deliveries_csv", needs="webhook.read"),
    *_all("console.webhook", needs="webhook.read", owned=True),
    *_all("console.webhook_new", "console.webhook_create", needs="webhook.write"),
    *_all("console.webhook_change", "console.webhook_switch", needs="webhook.write", owned=True, sent=_HOOK),
    *_all("console.webhook_rotate", "console.webhook_delete", needs="webhook.write", owned=True),
    *_all("console.webhook_replay", needs="webhook.write", owned=True, says=frozenset({404})),
)

_PEOPLE = (
    *_all("audit_events.index", "console.audit", needs="audit.read"),
    *_all("audit_events.export", "console.audit_csv", needs="audit.export"),
    *_all("console.policy", "console.policy_csv", needs="policy.read"),
    *_all("console.security", "console.security_csv", needs="session.read"),
    Route("console.session_end", (OWN, "session.end"), seen_by="session.read", says=frozenset({404})),
    *_all("console.tokens", "console.tokens_csv", needs="token.read"),
    *_all("console.token_new", "console.token_create", needs="user.write"),
    Route("console.token_revoke", (OWN, "token.revoke"), owned=True, seen_by="token.read"),
    *_all("console.users", "console.users_csv", needs="user.read"),
    *_all("console.user", needs="user.read", owned=True),
    *_all("console.user_new", "console.user_create", needs="user.write"),
    *_all("console.user_change", needs=("role.grant", "user.write"), owned=True),
    *_all("console.user_link", "console.user_unlink", needs=("role.grant", "user.write"), owned=True),
    *_all("console.user_address", needs="user.write", owned=True),
    *_all("console.user_confirm", needs="user.write", owned=True, verb="disable"),
    *_all("console.user_act", needs="user.write", owned=True, verb="unknown", says=frozenset({404})),
)

# What is changed here is changed: the spare rule is gone once somebody deleted it.
_REQUEST_PAGES = (
    *_all("console.requests", "console.requests_csv", "console.inbox", "console.inbox_csv", needs="request.read"),
    *_all("console.request", needs="request.read", owned=True),
    *_all("console.request_new", "console.request_create", needs=("request.ask", "catalogue.read")),
    *_all("console.request_edit", needs=_ASKS, owned=True, says=frozenset({403})),
    *_all("console.request_submit", "console.request_withdraw", needs=_ASKS, owned=True, says=frozenset({403})),
    Route("console.request_comment", ("request.comment", "request.read"), owned=True, sent={"body": "x"}),
    Route("console.request_decide", _DECIDES, owned=True, sent={"verdict": "approve"}),
    Route("console.request_hand_over", _DECIDES, owned=True, sent={"to": "wang"}),
    *_all("console.rules", needs="routing.read"),
    *_all("console.rule_new", "console.rule_create", needs=("routing.write", "catalogue.read")),
    *_all("console.rule", "console.rule_change", needs=("routing.write", "catalogue.read"), says=frozenset({404})),
    *_all("console.rule_switch", "console.rule_delete", needs="routing.write", says=frozenset({404})),
)

_CONSOLE = (
    *_all("console.home", needs=OWN),
    *_all("console.search", needs=("resource.read", "department.read", "system.read"), query="?q=ours"),
    *_all("console.vms", "console.vms_csv", needs="resource.read"),
    *_all("console.vm", needs=("resource.read", "resource.history"), owned=True),
    *_all("console.vm_new", "console.vm_new_impact", "console.vm_ask", needs=("resource.create", "catalogue.read")),
    *_all("console.vm_act", needs="resource.operate", owned=True, verb="start"),
    *_all(
        *("console.vm_resize", "console.vm_rebuild", "console.vm_float"),
        needs=("resource.change", "catalogue.read"),
        owned=True,
    ),
    *_all(
        "console.vm_snapshots", "console.vm_restore", "console.vm_drop_snapshot", needs="resource.change", owned=True
    ),
    *_all("console.vm_resize_impact", needs=("resource.change", "catalogue.read"), owned=True),
    *_all("console.vm_console", needs="resource.change", owned=True),
    *_all("console.vm_delete", needs=("resource.delete", "resource.read"), owned=True),
    *_all("console.vms_bulk", needs=("resource.operate", "resource.read"), sent={"verb": "stop"}),
    *_all("console.vms_bulk", needs=("resource.delete", "resource.read"), sent={"verb": "delete"}),
    *_all("console.department_choices", needs="department.read"),
    *_all("console.machine_choices", needs=("resource.read", "department.read"), query="?department=environment"),
    *_REQUEST_PAGES,
    *_all("console.departments", "console.departments_csv", needs=("department.read", "quota.read", "catalogue.read")),
    *_all(
        "console.department",
        needs=("department.read", "quota.read", "system.read", "resource.read", "resource.history"),
        owned=True,
    ),
    *_all("console.department_quota", needs=("quota.write", "quota.read"), owned=True, sent={"preview": "1"}),
    Route(
        "console.department_ingress", ("ingress.write",), owned=True, sent={"protocol": "tcp", "source": "10.0.0.0/8"}
    ),
    *_all("console.ingress_rule_remove", needs="ingress.write", owned=True, says=frozenset({404})),
    *_all("console.department_quota_impact", needs=("quota.write", "quota.read"), owned=True),
    *_all("console.systems", "console.systems_csv", needs="system.read"),
    *_all("console.subnets", "console.subnets_csv", needs="catalogue.read"),
    *_all("console.system", needs=("system.read", "resource.read", "resource.history"), owned=True),
    *_all("console.drifts", "console.drifts_csv", needs="drift.read"),
    *_all("console.drift_check", needs="drift.decide"),
    *_all("console.drift_act", needs="drift.decide", verb="adopt"),
    *_all("console.drift_act", needs="drift.decide", verb="unknown", says=frozenset({404})),
)

_NOT_THE_SECRET = frozenset({401, 429})

# Everything of these is one's own and nobody else's: what their addresses name is some id that is not.
_OWN_ACCOUNT = (
    *_all("console.account", "console.account_token", "console.password", needs=OWN, by_token=401),
    *_all("console.password_change", needs=OWN, by_token=401, sent={"wanted": "x", "again": "y"}),
    *_all("console.enrol", needs=OWN, by_token=401),
    *_all("console.account_codes", "console.account_give_up", needs=OWN, by_token=401),
    *_all("console.enrol_confirm", needs=OWN, by_token=401, says=_NOT_THE_SECRET),
    *_all("console.account_end", "console.account_revoke", needs=OWN, by_token=401, says=frozenset({404})),
    *_all("console.second_factor", needs=OWN, by_token=401),
    *_all("console.second_factor_prove", needs=OWN, by_token=401, says=_NOT_THE_SECRET),
    *_all("console.sign_out", needs=OWN, by_token=401),
)

_OF_ANYBODY = (
    *_all("static", "docs.static", "health.alive", "health.ready", "console.language", needs=OPEN),
    *_all("console.sign_in", needs=OPEN),
    # No identity provider is set up where these are tried: tests/oidc tries what they do.
    *_all("console.oidc", "console.oidc_back", "console.oidc_out", needs=OPEN, says=frozenset({404})),
    Route("console.enter", (OPEN,), says=_NOT_THE_SECRET),
)

ROUTES: tuple[Route, ...] = (
    *_CATALOGUE,
    *_TENANTS,
    *_MACHINES,
    *_SHOWN,
    *_LEASES,
    *_VPN,
    *_IMPORTS,
    *_VPN_PAGES,
    *_POOLS,
    *_ACCOUNTS,
    *_TOLD,
    *_PEOPLE,
    *_CONSOLE,
    *_OWN_ACCOUNT,
    *_OF_ANYBODY,
)
