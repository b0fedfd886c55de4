"""The API, one file a noun."""

from flask_openapi3 import OpenAPI

from web.api import (
    attachments,
    audit_events,
    catalogue,
    centre,
    departments,
    drifts,
    ingress_rules,
    leases,
    notifications,
    policy,
    pools,
    progress,
    register,
    reports,
    requests,
    routing_rules,
    sessions,
    systems,
    tokens,
    users,
    vms,
    vpn_accounts,
    vpn_groups,
    vpn_imports,
    vpn_sessions,
    webhooks,
)

BLUEPRINTS = (
    centre.api,
    departments.api,
    systems.api,
    ingress_rules.api,
    *catalogue.BLUEPRINTS,
    pools.api,
    vms.api,
    vpn_accounts.api,
    vpn_groups.api,
    vpn_imports.api,
    *vpn_sessions.BLUEPRINTS,
    requests.api,
    routing_rules.api,
    *attachments.BLUEPRINTS,
    progress.api,
    reports.api,
    register.api,
    *leases.BLUEPRINTS,
    drifts.api,
    users.api,
    tokens.api,
    sessions.api,
    policy.api,
    notifications.api,
    webhooks.api,
    audit_events.api,
)


def init_app(app: OpenAPI) -> None:
    """Register every noun."""
    for blueprint in BLUEPRINTS:
        app.register_api(blueprint)
