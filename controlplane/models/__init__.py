"""The record: tables and nothing else. Decisions are in services, reads in lookups."""

from controlplane.models.attachments import RequestAttachment
from controlplane.models.catalogue import Flavor, Image
from controlplane.models.consoles import ConsoleTicket
from controlplane.models.drifts import Drift, DriftKind, DriftOutcome, PoolCheck
from controlplane.models.identity import ApiToken, IdempotencyKey, SignIn, SignInTry, User
from controlplane.models.ingress import IngressRule
from controlplane.models.pools import Claim, Pool, PoolCapacity, PoolCatalogue, Subnet
from controlplane.models.projects import Project
from controlplane.models.records import AuditEvent
from controlplane.models.requests import (
    CentreOption,
    Request,
    RequestComment,
    RequestStep,
    RoutingRule,
)
from controlplane.models.resources import Resource
from controlplane.models.telling import Delivery, MailChoice, Notification, Webhook
from controlplane.models.tenancy import Department, Site, System
from controlplane.models.vpn import VpnAccount, VpnGroup, VpnLogin, VpnSession
from controlplane.models.vpn_imports import VpnImport

__all__ = [
    "ApiToken",
    "AuditEvent",
    "CentreOption",
    "Claim",
    "ConsoleTicket",
    "Delivery",
    "Department",
    "Drift",
    "DriftKind",
    "DriftOutcome",
    "Flavor",
    "IdempotencyKey",
    "Image",
    "IngressRule",
    "MailChoice",
    "Notification",
    "Pool",
    "PoolCapacity",
    "PoolCatalogue",
    "PoolCheck",
    "Project",
    "Request",
    "RequestAttachment",
    "RequestComment",
    "RequestStep",
    "Resource",
    "RoutingRule",
    "SignIn",
    "SignInTry",
    "Site",
    "Subnet",
    "System",
    "User",
    "VpnAccount",
    "VpnGroup",
    "VpnImport",
    "VpnLogin",
    "VpnSession",
    "Webhook",
]
