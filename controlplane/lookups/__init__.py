"""Every tenant-scoped read. Reading and permission are one function: what comes back, the actor may see.

Whatever belongs to another tenant is not found, exactly like what does not exist.
"""

from controlplane.lookups.attachment import attachment_for, attachments_of
from controlplane.lookups.catalogue import (
    addresses,
    addresses_of,
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
from controlplane.lookups.ingress import ingress_rule_for, ingress_rules
from controlplane.lookups.lease import Ends, ends_by_day, holds, leases, resource_to_hold, unused
from controlplane.lookups.pool import checks_of, pool_for, pools
from controlplane.lookups.register import Entry, register
from controlplane.lookups.request import (
    DESK_COUNTED_UP_TO,
    Named,
    Waiting,
    comments_of,
    desk_count,
    inbox,
    named_in,
    progress,
    request_for,
    requests,
    waiting_on,
)
from controlplane.lookups.resource import resource_for, resources, resources_by_id, resources_locked, resources_of
from controlplane.lookups.routing import routing_rule_for, routing_rules
from controlplane.lookups.system import system_for, system_of, systems
from controlplane.lookups.trail import audit_events, audited_actions, history
from controlplane.lookups.vpn import (
    vpn_accounts,
    vpn_accounts_of,
    vpn_group_for,
    vpn_group_of,
    vpn_groups,
    vpn_logins,
    vpn_session_for,
    vpn_sessions,
)
from controlplane.lookups.vpn_import import vpn_import_for, vpn_imports
from controlplane.lookups.webhook import deliveries, webhook_for, webhooks

__all__ = (
    "DESK_COUNTED_UP_TO",
    "Asking",
    "Ends",
    "Entry",
    "Named",
    "Waiting",
    "addresses",
    "addresses_of",
    "attachment_for",
    "attachments_of",
    "audit_events",
    "audited_actions",
    "checks_of",
    "comments_of",
    "deliveries",
    "department_asking",
    "department_for",
    "departments",
    "desk_count",
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
    "ingress_rule_for",
    "ingress_rules",
    "leases",
    "lineage_of",
    "may_decide_drift",
    "named_in",
    "pool_checks",
    "pool_for",
    "pools",
    "progress",
    "register",
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
    "vpn_accounts",
    "vpn_accounts_of",
    "vpn_group_for",
    "vpn_group_of",
    "vpn_groups",
    "vpn_import_for",
    "vpn_imports",
    "vpn_logins",
    "vpn_session_for",
    "vpn_sessions",
    "waiting_on",
    "webhook_for",
    "webhooks",
)
