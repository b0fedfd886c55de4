"""Departments as projects of a region: each with the ledger's limits as its quota in Nova and Neutron.

A project carries the code of its department. Nova limits machines, processors and memory; disks it cannot limit.
"""

from collections.abc import Collection, Mapping

from provisioners.contract import Missing, Rejected, Tenant
from provisioners.openstack_catalogue import Catalogue
from provisioners.openstack_link import Link

NOVAS: Mapping[str, str] = {"vm": "instances", "vcpu": "cores", "memory_mib": "ram"}
"""What Nova calls a resource class in its quotas."""

PORTS_A_VM = 2
PORTS_BESIDES = 10
"""Ports of networks themselves (routers, DHCP) that count against a project's quota."""

_UNLIMITED = -1


def found(link: Link, catalogue: Catalogue, departments: Collection[str]) -> dict[str, Tenant]:
    """Return those of the departments that have a project, with the quota that it has."""
    projects = of_domain(link, catalogue)
    return {code: Tenant(projects[code], _quota(link, projects[code])) for code in departments if code in projects}


def of_domain(link: Link, catalogue: Catalogue) -> dict[str, str]:
    """Return the projects of the departments' domain: ids by name."""
    listed = link.every("identity", "/projects", "projects", domain_id=catalogue.domain())
    return {project["name"]: project["id"] for project in listed}


def written(link: Link, catalogue: Catalogue, department: str, limits: Mapping[str, int | None]) -> Tenant:
    """See to a department's project and give it these limits."""
    project = catalogue.project(department)
    quota = {NOVAS[name]: _UNLIMITED if limit is None else limit for name, limit in limits.items() if name in NOVAS}
    # Less than is used already is a limit as well: what is there stays.
    link.tell("compute", "PUT", f"/os-quota-sets/{project}", {"quota_set": {**quota, "force": True}})
    machines = limits.get("vm")
    ports = _UNLIMITED if machines is None else machines * PORTS_A_VM + PORTS_BESIDES
    link.tell("network", "PUT", f"/quotas/{project}", {"quota": {"port": ports}})
    return Tenant(project, dict(limits))


def remove(link: Link, catalogue: Catalogue, department: str) -> None:
    """Remove a department's project with what Neutron made by itself for it. Raises Missing; Rejected where anything
    that somebody made is in it still."""
    project = of_domain(link, catalogue).get(department)
    if project is None:
        raise Missing(f"no project {department}")
    _must_be_empty(link, project, department)
    groups = link.ask("network", "/security-groups", project_id=project) or {}
    for group in groups.get("security_groups", ()):
        link.tell("network", "DELETE", f"/security-groups/{group['id']}")
    link.tell("network", "DELETE", f"/quotas/{project}")
    link.tell("compute", "DELETE", f"/os-quota-sets/{project}")
    link.tell("identity", "DELETE", f"/projects/{project}")
    catalogue.forget()


def _must_be_empty(link: Link, project: str, department: str) -> None:
    servers = link.ask("compute", "/servers", all_tenants="true", project_id=project, limit=1) or {}
    left = {"servers": servers.get("servers", ())}
    for name in ("ports", "routers", "networks", "floatingips"):
        left[name] = (link.ask("network", f"/{name}", project_id=project, limit=1) or {}).get(name, ())
    holding = [name for name, items in left.items() if items]
    if holding:
        raise Rejected("openstack.project_in_use", f"project {department} still has {', '.join(holding)}")


def _quota(link: Link, project: str) -> dict[str, int | None]:
    quota = (link.ask("compute", f"/os-quota-sets/{project}") or {}).get("quota_set", {})
    limits = {name: quota.get(novas) for name, novas in NOVAS.items()}
    return {name: None if limit == _UNLIMITED else limit for name, limit in limits.items()}
