"""The small centre of the VPN lab: two departments, each with a group at a gateway and a program of its own."""

import sys
from contextlib import ExitStack
from pathlib import Path

from controlplane.embedded import embedded_server
from tests.labs.report import Report
from tests.labs.steppe_process import ROOT, Steppe
from tests.labs.vpn_site import GATEWAY, NETWORKS, SERVERS, Site
from tests.labs.vpn_story import OURS, Lab

LOST_GATEWAY = "vpn-2"
"""A gateway that Steppe cannot reach, though RADIUS hears of it."""


def start(stack: ExitStack, report: Report, folder: Path, port: int) -> Lab:
    """Start Steppe and the site, and make all that an ask needs. What a sweep would mend stays as it is."""
    steppe = stack.enter_context(Steppe(folder, port, STEPPE_SWEEP_MINUTES="59", STEPPE_LOG_FORMAT="json"))
    url = stack.enter_context(embedded_server(folder / "steppe"))
    site = stack.enter_context(Site(folder / "site", url))
    for department, server in SERVERS.items():
        serving = (sys.executable, "-m", "tests.labs.vpn_traffic", "serve", server)
        stack.enter_context(site.serving(department, serving, ROOT))
    _furnish(steppe, site)
    return Lab(report, steppe, site, url, folder, {department: _token(steppe, department) for department in NETWORKS})


def _furnish(steppe: Steppe, site: Site) -> None:
    steppe.ask("/sites", {"code": "nm", "name": "内蒙古", "name_en": "Inner Mongolia", "level": "region"})
    for code in NETWORKS:
        limits = {"vpn_account": 1000}
        steppe.ask("/departments", {"code": code, "name": code, "name_en": code, "site": "nm", "limits": limits})
    lost = {**site.connection(), "host": "no-such-place", "clients": "10.130.0.0/16"}
    for code, connection in ((GATEWAY, site.connection()), (LOST_GATEWAY, lost)):
        pool = {"code": code, "name": code, "kind": "vpn_account", "site": "nm", "mlps_level": 3, "driver": "ocserv"}
        steppe.ask("/pools", {**pool, "connection": connection, "capacity": {"vpn_account": {"total": 1000}}})
    for department, network in NETWORKS.items():
        steppe.ask("/vpn-groups", {"gateway": GATEWAY, "department": department, "networks": [network]})
    steppe.ask("/vpn-groups", {"gateway": LOST_GATEWAY, "department": OURS, "networks": [NETWORKS[OURS]]})


def _token(steppe: Steppe, department: str) -> str:
    name = f"{department}-api"
    role = ("--role", "department_manager", "--department", department)
    steppe.command("user", "create", name, "--service", "--name", name, *role)
    return steppe.command("token", "create", name, "--user", name, "--quiet").strip()
