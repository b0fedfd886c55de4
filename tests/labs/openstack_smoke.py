"""The OpenStack lab itself works: a server's whole life by openstacksdk alone, without Steppe.

What fails here is the lab's fault; what fails in later stories is the driver's.
"""

import time
from typing import Any

import openstack
from keystoneauth1.exceptions import ConnectFailure

from tests.labs.openstack_content import IMAGES, SHARED_NETWORK
from tests.labs.openstack_story import Lab
from tests.labs.waiting import until

ADDRESSES = ("10.20.0.7", "fd20::7")
_SERVER_SECONDS = 180.0
_SIZES = {"smoke.small": 128, "smoke.large": 192}


def a_servers_life(lab: Lab) -> None:
    """Project, port, server, volume, resize, and all of it deleted."""
    cloud = _connect(lab)
    with lab.report.check("every part of the cloud is up, as Steppe's user sees it"):
        down = [service.binary for service in cloud.compute.services() if service.state != "up"]
        down += [service.binary for service in cloud.block_storage.services() if service.state != "up"]
        silent = [agent.agent_type for agent in cloud.network.agents() if not agent.is_alive]
        assert not down + silent, down + silent
        assert {image.name for image in cloud.image.images()} >= set(IMAGES)
    with lab.report.check("Steppe's user makes a project in its domain, lets itself in and sets quotas"):
        project = _project(cloud, lab.settings["auth"]["project_domain_name"])
    tenant = _connect(lab, project_name=project.name)
    with lab.report.check("a port has the two addresses that were asked, of a shared network"):
        port = _port(tenant)
    with lab.report.check("a server with that port becomes ACTIVE and has its addresses"):
        flavors = [cloud.compute.create_flavor(name=name, vcpus=1, ram=ram, disk=1) for name, ram in _SIZES.items()]
        began = time.monotonic()
        server = tenant.compute.create_server(
            name="smoke",
            image_id=tenant.image.find_image(IMAGES[0]).id,
            flavor_id=flavors[0].id,
            networks=[{"port": port.id}],
        )
        server = _reaches(tenant, server, "ACTIVE")
        lab.report.figure("a server ACTIVE after", f"{time.monotonic() - began:.1f} s")
        assert sorted(seen["addr"] for seen in server.addresses[SHARED_NETWORK]) == list(ADDRESSES)
    if lab.real:
        with lab.report.check("the guest boots, takes its address by DHCP and learns from the metadata who it is"):
            until("the guest has told who it is", lambda: "GUEST-INSTANCE i-" in _says(tenant, server), _SERVER_SECONDS)
            assert f" {ADDRESSES[0]}/" in _says(tenant, server)
            lab.report.figure("a guest booted, with address and metadata after", f"{time.monotonic() - began:.1f} s")
    with lab.report.check("a volume is made, attached, grows while it is attached, is detached and deleted"):
        _volume(tenant, server)
    with lab.report.check("it is resized, and the resize is confirmed"):
        began = time.monotonic()
        tenant.compute.resize_server(server, flavors[1].id)
        _reaches(tenant, server, "VERIFY_RESIZE")
        tenant.compute.confirm_server_resize(server)
        assert _reaches(tenant, server, "ACTIVE").flavor["original_name"] == flavors[1].name
        lab.report.figure("a resize, confirmed after", f"{time.monotonic() - began:.1f} s")
    with lab.report.check("after deletion no server, port, project, flavor or allocation of it is left"):
        tenant.compute.delete_server(server)
        tenant.compute.wait_for_delete(server, interval=0.3, wait=_SERVER_SECONDS)
        tenant.network.delete_port(port)
        for flavor in flavors:
            cloud.compute.delete_flavor(flavor)
        cloud.identity.delete_project(project)
        _nothing_is_left(cloud, project)


def a_daemon_is_stopped(lab: Lab) -> None:
    """Nova's API is stopped and started, by whoever runs beside the cloud."""
    with lab.report.check("a stopped nova-api answers nobody, while the others do; started, it answers again"):
        cloud = _connect(lab)
        lab.daemons.stop("nova-api")
        assert cloud.network.find_network(SHARED_NETWORK)
        try:
            list(cloud.compute.servers())
        except ConnectFailure:
            pass
        else:
            raise AssertionError("nova-api answers though it was stopped")
        began = time.monotonic()
        lab.daemons.start("nova-api")
        lab.report.figure("nova-api answers again after", f"{time.monotonic() - began:.1f} s")
        assert not list(cloud.compute.servers())


def _connect(lab: Lab, **other: str) -> Any:
    auth = lab.settings["auth"] | other
    region = lab.settings["region_name"]
    return openstack.connect(load_yaml_config=False, load_envvars=False, auth=auth, region_name=region)


def _project(cloud: Any, domain_name: str) -> Any:
    domain = cloud.identity.find_domain(domain_name)
    project = cloud.identity.create_project(name="smoke", domain_id=domain.id)
    cloud.identity.assign_project_role_to_user(project, cloud.current_user_id, cloud.identity.find_role("admin"))
    cloud.compute.update_quota_set(project, instances=3, cores=6)
    cloud.network.update_quota(project.id, ports=6)
    cloud.block_storage.update_quota_set(project.id, gigabytes=9, volumes=-1)
    assert cloud.compute.get_quota_set(project.id).instances == 3
    assert cloud.block_storage.get_quota_set(project.id).gigabytes == 9
    assert cloud.network.get_quota(project.id).ports == 6
    return project


def _port(tenant: Any) -> Any:
    network = tenant.network.find_network(SHARED_NETWORK)
    subnets = {subnet.ip_version: subnet.id for subnet in tenant.network.subnets(network_id=network.id)}
    wanted = [{"subnet_id": subnets[v], "ip_address": a} for v, a in zip((4, 6), ADDRESSES, strict=True)]
    port = tenant.network.create_port(network_id=network.id, name="smoke", fixed_ips=wanted)
    assert sorted(fixed["ip_address"] for fixed in port.fixed_ips) == list(ADDRESSES)
    return port


def _volume(tenant: Any, server: Any) -> None:
    storage = tenant.block_storage
    made = storage.create_volume(name="smoke", size=1)
    _volume_is(storage, made, "available")
    tenant.compute.create_volume_attachment(server, volume_id=made.id)
    _volume_is(storage, made, "in-use")
    storage.post(f"/volumes/{made.id}/action", json={"os-extend": {"new_size": 2}}, microversion="3.42")
    until("the volume to have grown", lambda: storage.get_volume(made.id).size == 2, _SERVER_SECONDS)
    _volume_is(storage, made, "in-use")
    tenant.compute.delete_volume_attachment(server, made.id)
    _volume_is(storage, made, "available")
    storage.delete_volume(made)
    until("the volume to be gone", lambda: not list(storage.volumes()), _SERVER_SECONDS)


def _volume_is(storage: Any, volume: Any, status: str) -> None:
    until(f"the volume to be {status}", lambda: storage.get_volume(volume.id).status == status, _SERVER_SECONDS)


def _reaches(tenant: Any, server: Any, status: str) -> Any:
    return tenant.compute.wait_for_server(server, status=status, failures=["ERROR"], interval=0.3, wait=_SERVER_SECONDS)


def _says(tenant: Any, server: Any) -> str:
    return tenant.compute.get_server_console_output(server)["output"] or ""


def _nothing_is_left(cloud: Any, project: Any) -> None:
    assert not list(cloud.compute.servers(all_projects=True))
    assert not [port for port in cloud.network.ports() if not port.device_owner.startswith("network:")]
    assert not cloud.identity.find_project(project.id)
    assert not [flavor for flavor in cloud.compute.flavors() if flavor.name in _SIZES]
    for provider in cloud.placement.resource_providers():
        used = cloud.placement.get(f"/resource_providers/{provider.id}/usages").json()["usages"]
        assert not any(used.values()), used
