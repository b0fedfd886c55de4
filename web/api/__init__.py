"""The API, one file a noun."""

from flask_openapi3 import OpenAPI

from web.api import (
    audit_events,
    catalogue,
    centre,
    departments,
    drifts,
    notifications,
    policy,
    pools,
    requests,
    sessions,
    systems,
    tokens,
    users,
    vms,
    webhooks,
)

BLUEPRINTS = (
    centre.api,
    departments.api,
    systems.api,
    *catalogue.BLUEPRINTS,
    pools.api,
    vms.api,
    requests.api,
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
