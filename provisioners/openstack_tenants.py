"""Departments as projects of a region: each with the ledger's limits as its quota in Nova, Neutron and Cinder.

A project carries the code of its department. Nova limits machines, processors and memory; disks it cannot limit. Where
the region has volumes, Cinder limits what they may have together; a quota of their number or of each would be one that
the ledger knows nothing of.
"""

from collections.abc import Collection, Iterable, Mapping

from provisioners import openstack_floating as floating
from provisioners import openstack_unlinking as unlinking
from provisioners.contract import Missing, Rejected, Tenant
from provisioners.openstack_catalogue import Catalogue
from provisioners.openstack_link import Conflict, Link, Service

NOVAS: Mapping[str, str] = {"vm": "instances", "vcpu": "cores", "memory_mib": "ram"}
"""What Nova calls a resource class in its quotas."""

GIGABYTES = {"disk_gib": "gigabytes"}
"""What Cinder calls a resource class in its quotas."""

PORTS_A_VM = 2
PORTS_BESIDES = 50
"""Ports of networks themselves (routers, DHCP) that count against a project's quota."""

_UNLIMITED = -1


def limited(catalogue: Catalogue) -> tuple[str, ...]:
    """Return the resource classes that the region can limit."""
    return (*NOVAS, *GIGABYTES) if catalogue.has_volumes() else tuple(NOVAS)


def found(link: Link, catalogue: Catalogue, departments: Collection[str]) -> dict[str, Tenant]:
    """Return those of the departments that have a project, with the quota that it has."""
    projects = of_domain(link, catalogue)
    here = [code for code in departments if code in projects]
    return {code: Tenant(projects[code], _quota(link, catalogue, projects[code])) for code in here}


def of_domain(link: Link, catalogue: Catalogue) -> dict[str, str]:
    """Return the projects of the departments' domain: ids by name."""
    listed = link.every("identity", "/projects", "projects", domain_id=catalogue.domain())
    return {project["name"]: project["id"] for project in listed}


def owner(link: Link, catalogue: Catalogue, project: str) -> str | None:
    """Return the department whose project it is; None of one that is no department's, as our own is none."""
    known = (link.ask("identity", f"/projects/{project}") or {}).get("project", {})
    ours = known.get("domain_id") == catalogue.domain() and project != link.project()
    return str(known["name"]) if ours and catalogue.acts_in(project) else None


def written(link: Link, catalogue: Catalogue, department: str, limits: Mapping[str, int | None]) -> Tenant:
    """See to a department's project, and give it these limits."""
    project = catalogue.project(department)
    # Less than is used already is a limit as well: what is there stays.
    quota = {"quota_set": {**_in_their_words(NOVAS, limits), "force": True}}
    link.tell("compute", "PUT", f"/os-quota-sets/{project}", quota)
    if catalogue.has_volumes():
        unlimited = dict.fromkeys(("volumes", "per_volume_gigabytes"), _UNLIMITED)
        quota = {"quota_set": {**_in_their_words(GIGABYTES, limits), **unlimited}}
        link.tell("block_storage", "PUT", f"/os-quota-sets/{project}", quota)
    machines = limits.get("vm")
    ports = _UNLIMITED if machines is None else machines * PORTS_A_VM + PORTS_BESIDES
    unlimited = dict.fromkeys(("rbac_policy", "security_group_rule", "floatingip"), _UNLIMITED)
    link.tell("network", "PUT", f"/quotas/{project}", {"quota": {"port": ports, **unlimited}})
    return Tenant(project, dict(limits))


def _in_their_words(words: Mapping[str, str], limits: Mapping[str, int | None]) -> dict[str, int]:
    known = {words[name]: limit for name, limit in limits.items() if name in words}
    return {name: _UNLIMITED if limit is None else limit for name, limit in known.items()}


def remove(link: Link, catalogue: Catalogue, department: str) -> None:
    """Remove a department's project with its own networks and what Neutron made by itself for it. Raises Missing;
    Rejected where anything that somebody else made is in it still."""
    project = of_domain(link, catalogue).get(department)
    if project is None:
        raise Missing(f"no project {department}")
    floating.remove_loose(link, project)
    _must_be_empty(link, catalogue, project, department, ("floatingips",))
    unlinking.remove_all(link, project)
    _must_be_empty(link, catalogue, project, department, ("ports", "routers", "networks", "floatingips"))
    for group in link.few("compute", "/os-server-groups", "server_groups", all_projects="true"):
        if group["project_id"] == project:
            link.tell("compute", "DELETE", f"/os-server-groups/{group['id']}")
    for group in link.few("network", "/security-groups", "security_groups", project_id=project):
        try:
            link.tell("network", "DELETE", f"/security-groups/{group['id']}")
        except Conflict as error:
            # What uses it is somebody's in another project: no reason to leave other departments waiting.
            raise Rejected("openstack.project_in_use", f"project {department}: {error}") from error
    link.tell("network", "DELETE", f"/quotas/{project}")
    for service in _limiting(catalogue):
        link.tell(service, "DELETE", f"/os-quota-sets/{project}")
    link.tell("identity", "DELETE", f"/projects/{project}")
    catalogue.forget()


def _limiting(catalogue: Catalogue) -> tuple[Service, ...]:
    return ("compute", "block_storage") if catalogue.has_volumes() else ("compute",)


def _must_be_empty(link: Link, catalogue: Catalogue, project: str, department: str, names: Iterable[str]) -> None:
    """Raises Rejected where a project has a server, a volume, an image, or what is one of `names` of Neutron's."""
    left = {"servers": link.few("compute", "/servers", "servers", all_tenants="true", project_id=project, limit=1)}
    for name in names:
        left[name] = link.few("network", f"/{name}", name, project_id=project, limit=1)
    if catalogue.has_volumes():
        of_project = {"all_tenants": "true", "project_id": project, "limit": 1}
        left["volumes"] = link.few("block_storage", "/volumes", "volumes", **of_project)
    images = link.few("image", "/images", "images", owner=project, limit=1)
    left["images"] = [image for image in images if image.get("owner") == project]
    holding = [name for name, items in left.items() if items]
    if holding:
        raise Rejected("openstack.project_in_use", f"project {department} still has {', '.join(holding)}")


def _quota(link: Link, catalogue: Catalogue, project: str) -> dict[str, int | None]:
    limits: dict[str, int | None] = {}
    for service in _limiting(catalogue):
        quota = (link.ask(service, f"/os-quota-sets/{project}") or {}).get("quota_set", {})
        words = NOVAS if service == "compute" else GIGABYTES
        limits |= {name: quota.get(theirs) for name, theirs in words.items()}
    return {name: None if limit == _UNLIMITED else limit for name, limit in limits.items()}
