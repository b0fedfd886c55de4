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
from controlplane.lookups.lease import Ends, ends_by_day, holds, leases, resource_to_hold, unused
from controlplane.lookups.pool import pool_for, pools
from controlplane.lookups.request import comments_of, inbox, progress, request_for, requests
from controlplane.lookups.resource import resource_for, resources, resources_by_id, resources_locked, resources_of
from controlplane.lookups.routing import routing_rule_for, routing_rules
from controlplane.lookups.system import system_for, system_of, systems
from controlplane.lookups.trail import audit_events, audited_actions, history

__all__ = (
    "Asking",
    "Ends",
    "addresses",
    "audit_events",
    "audited_actions",
    "comments_of",
    "department_asking",
    "department_for",
    "departments",
    "drift_for",
    "drifts",
    "ends_by_day",
    "flavor_for",
    "flavors",
    "history",
    "holds",
    "image_for",
    "images",
    "inbox",
    "leases",
    "lineage_of",
    "may_decide_drift",
    "pool_checks",
    "pool_for",
    "pools",
    "progress",
    "request_for",
    "requests",
    "resource_for",
    "resource_to_hold",
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
    "unused",
)
