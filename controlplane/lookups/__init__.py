"""Every tenant-scoped read. Reading and permission are one function: what comes back, the actor may see.

Whatever belongs to another tenant is not found, exactly like what does not exist.
"""

from controlplane.lookups.catalogue import (
    addresses,
    flavor_for,
    flavors,
    image_for,
    images,
    site_for,
    sites,
    subnet_for,
    subnets,
)
from controlplane.lookups.department import (
    Asking,
    department_asking,
    department_for,
    departments,
    lineage_of,
    subtree_of,
)
from controlplane.lookups.drift import drift_for, drifts, may_decide_drift, pool_checks
from controlplane.lookups.pool import pool_for, pools
from controlplane.lookups.request import comments_of, inbox, progress, request_for, requests
from controlplane.lookups.resource import resource_for, resources, resources_by_id, resources_locked, resources_of
from controlplane.lookups.routing import routing_rule_for, routing_rules
from controlplane.lookups.system import system_for, system_of, systems
from controlplane.lookups.trail import audit_events, audited_actions, history
from controlplane.lookups.webhook import deliveries, webhook_for, webhooks

__all__ = (
    "Asking",
    "addresses",
    "audit_events",
    "audited_actions",
    "comments_of",
    "deliveries",
    "department_asking",
    "department_for",
    "departments",
    "drift_for",
    "drifts",
    "flavor_for",
    "flavors",
    "history",
    "image_for",
    "images",
    "inbox",
    "lineage_of",
    "may_decide_drift",
    "pool_checks",
    "pool_for",
    "pools",
    "progress",
    "request_for",
    "requests",
    "resource_for",
    "resources",
    "resources_by_id",
    "resources_locked",
    "resources_of",
    "routing_rule_for",
    "routing_rules",
    "site_for",
    "sites",
    "subnet_for",
    "subnets",
    "subtree_of",
    "system_for",
    "system_of",
    "systems",
    "webhook_for",
    "webhooks",
)
