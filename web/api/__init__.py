"""The API, one file a noun."""

from flask_openapi3 import OpenAPI

from web.api import (
    audit_events,
    catalogue,
    centre,
    departments,
    drifts,
    leases,
    policy,
    pools,
    requests,
    sessions,
    systems,
    tokens,
    users,
    vms,
)

BLUEPRINTS = (
    centre.api,
    departments.api,
    systems.api,
    *catalogue.BLUEPRINTS,
    pools.api,
    vms.api,
    requests.api,
    *leases.BLUEPRINTS,
    drifts.api,
    users.api,
    tokens.api,
    sessions.api,
    policy.api,
    audit_events.api,
)


def init_app(app: OpenAPI) -> None:
    """Register every noun."""
    for blueprint in BLUEPRINTS:
        app.register_api(blueprint)
