"""What the OpenStack lab's Keystone knows: the services, their users and addresses, and Steppe's own domain."""

from typing import Any

import openstack

from tests.labs.openstack_databases import ADMIN_PASSWORD, IDENTITY_URL, REGION

# As in the role openstack_settings.
SERVICE_PASSWORD = "service-of-the-lab"
_SERVICES = (
    ("glance", "image", "http://127.0.0.1:9292"),
    ("nova", "compute", "http://127.0.0.1:8774/v2.1"),
    ("placement", "placement", "http://127.0.0.1:8778"),
    ("cinder", "volumev3", "http://127.0.0.1:8776/v3/%(project_id)s"),
    ("neutron", "network", "http://127.0.0.1:9696"),
)
FIRST_ADMIN = {
    "auth_url": IDENTITY_URL,
    "username": "admin",
    "password": ADMIN_PASSWORD,
    "project_name": "admin",
    "user_domain_name": "Default",
    "project_domain_name": "Default",
}
STEPPE = {
    "auth_url": IDENTITY_URL,
    "username": "steppe",
    "password": "steppe-of-the-lab",
    "project_name": "steppe",
    "user_domain_name": "steppe",
    "project_domain_name": "steppe",
}


def connect(auth: dict[str, str]) -> Any:
    """Return a connection of openstacksdk that signs in as `auth` when it is first used."""
    return openstack.connect(load_yaml_config=False, load_envvars=False, auth=auth, region_name=REGION)


def fill() -> None:
    """Enter all of it, as the cloud's first administrator."""
    identity = connect(FIRST_ADMIN).identity
    admin = identity.find_role("admin")
    service = identity.create_role(name="service")
    project = identity.create_project(name="service", domain_id="default")
    for name, kind, url in _SERVICES:
        user = identity.create_user(name=name, password=SERVICE_PASSWORD, domain_id="default")
        for role in (admin, service):
            identity.assign_project_role_to_user(project, user, role)
        entry = identity.create_service(name=name, type=kind)
        for face in ("public", "internal", "admin"):
            identity.create_endpoint(service_id=entry.id, interface=face, url=url, region_id=REGION)
    domain = identity.create_domain(name=STEPPE["user_domain_name"])
    home = identity.create_project(name=STEPPE["project_name"], domain_id=domain.id)
    steppe = identity.create_user(name=STEPPE["username"], password=STEPPE["password"], domain_id=domain.id)
    identity.assign_project_role_to_user(home, steppe, admin)
    identity.assign_domain_role_to_user(domain, steppe, admin)
