"""The pool of each driver that the contract is held against; and an OpenStack region of canned answers, with what an
order finds in any region, and the driver of its pool."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioners.openstack_driver import OpenStackDriver, connect
from tests.drivers import openstack_double as double
from tests.drivers.makers import LABS, Lab
from tests.drivers.openstack_double import NETWORK, NOVAS, PROJECT, SERVERS, Double, an_image


@pytest.fixture(params=LABS)
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    """A pool of every driver in turn."""
    lab = LABS[request.param](tmp_path)
    yield lab
    lab.driver.close()


@pytest.fixture
def region() -> Iterator[Double]:
    """A region with one project, one image, one network that is shared, and no machines."""
    with double.region() as made:
        made.answers("GET", "/identity/v3/domains", body={"domains": [{"id": "default"}]})
        made.answers("GET", "/identity/v3/projects", body={"projects": [{"id": PROJECT, "name": "dsj"}]})
        of_dsj = {"id": PROJECT, "name": "dsj", "domain_id": "default"}
        made.answers("GET", f"/identity/v3/projects/{PROJECT}", body={"project": of_dsj})
        made.answers("GET", "/identity/v3/roles", body={"roles": [{"id": "member-role"}]})
        made.answers("PUT", f"/identity/v3/projects/{PROJECT}/users/{double.US}/roles/member-role", 204)
        made.answers("GET", "/compute/v2.1/flavors/detail", body={"flavors": []})
        made.answers("POST", "/compute/v2.1/flavors", body={"flavor": {}})
        made.answers("GET", "/image/v2/images", body={"images": [an_image("debian-12", id="an-image")]})
        network = {"id": "gov-network", "project_id": "centre", "shared": True}
        made.answers("GET", f"{NETWORK}/networks", body={"networks": [network]})
        subnets = [{"id": cidr, "network_id": "gov-network", "cidr": cidr} for cidr in ("10.20.0.0/24", "fd20::/64")]
        made.answers("GET", f"{NETWORK}/subnets", body={"subnets": subnets})
        made.answers("GET", f"{NETWORK}/ports", body={"ports": []})
        made.answers("GET", f"{NETWORK}/floatingips", body={"floatingips": []})
        made.answers("POST", f"{NETWORK}/ports", 201, {"port": {"id": "new-port"}})
        group = {"id": "default-group", "project_id": PROJECT}
        made.answers("GET", f"{NETWORK}/security-groups", body={"security_groups": [group]})
        made.answers("GET", f"{NETWORK}/security-group-rules", body={"security_group_rules": []})
        made.answers("GET", f"{SERVERS}/detail", body={"servers": []})
        made.answers("GET", f"{SERVERS}/{NOVAS}/os-instance-actions", body={"instanceActions": []})
        made.answers("POST", SERVERS, 202, {"server": {"id": "new-server"}})
        yield made


@pytest.fixture
def driver(region: Double) -> Iterator[OpenStackDriver]:
    """The driver of a pool that is the region."""
    opened = connect(region.way_in(), Path())
    yield opened
    opened.close()
