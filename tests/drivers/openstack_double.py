"""The HTTP side of an OpenStack region that says what a test tells it to say, for what real services cannot be made to
say on demand.

It knows how to sign in and where its services are. Beyond that it has a table of canned answers and no idea of servers:
what it is not told to answer, it notes as unexpected.
"""

import json
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, Literal, TypeVar
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from provisioners.contract import MachineSpec
from provisioners.openstack_servers import OURS, metadata, tag_of
from provisioners.openstack_volumes import BUILDS, GENERATION, ID, NUMBER, volume_name
from provisioners.openstack_volumes import OURS as LABEL

Fate = Literal["answer", "hang up", "say nothing"]

NOVAS = UUID("8c5a1f6e-0f0b-4f5e-9d3c-2f6a7b8c9d0e")
US, PROJECT = "us0", "our-project"
USERNAME, PASSWORD = "steppe", "corr3ct-horse 密码"
TOKENS = "/identity/v3/auth/tokens"
SERVERS = "/compute/v2.1/servers"
NETWORK = "/network/v2.0"
_SERVICES = {
    "identity": "/identity/v3",
    "compute": "/compute/v2.1",
    "network": "/network",
    "image": "/image",
    "placement": "/placement",
}
WITH_VOLUMES = (*_SERVICES, "volumev3")
VOLUMES = "/volume/v3/volumes"
_SERVICES["volumev3"] = "/volume/v3"
_DAY_AFTER_TOMORROW = "2999-01-01T00:00:00.000000Z"


@dataclass(frozen=True)
class Answer:
    """What is said to a request; `body` is sent as JSON unless it is text."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    fate: Fate = "answer"


@dataclass(frozen=True)
class Request:
    """What was asked: `query` has a list of values for each name, `body` is None where there was none. `version` is the
    microversion with its service."""

    method: str
    path: str
    query: dict[str, list[str]]
    body: Any
    token: str | None
    version: str | None


class Double:
    """A region on loopback. `requests` is all that was asked of it, `unexpected` what it had no answer to."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.unexpected: list[str] = []
        self._once: dict[tuple[str, str], deque[Answer]] = defaultdict(deque)
        self._always: dict[tuple[str, str], Answer] = {}
        self._tokens = 0
        self._closing = Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self._open()

    def answers(self, method: str, path: str, status: int = 200, body: Any = None, **how: Any) -> None:
        """Have a request answered so: `times` times before what it is answered always, or always.

        `fate` and `headers` are those of Answer.
        """
        times = how.pop("times", None)
        answer = Answer(status, body, **how)
        if times is None:
            self._always[method, path] = answer
        else:
            self._once[method, path].extend([answer] * times)

    def asked(self, method: str, path: str) -> list[Request]:
        """Return what was asked of one path."""
        return [request for request in self.requests if (request.method, request.path) == (method, path)]

    def way_in(self, **more: Any) -> dict[str, Any]:
        """Return the connection of a pool that is this region."""
        us = {"username": USERNAME, "password": PASSWORD, "project_name": "steppe"}
        return {"auth_url": f"{self.url}/identity/v3", **us, "call_seconds": 5, **more}

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def reply(self, request: Request) -> Answer:
        """Take down a request and return what to say to it."""
        self.requests.append(request)
        key = (request.method, request.path)
        if self._once[key]:
            answer = self._once[key].popleft()
        elif key in self._always:
            answer = self._always[key]
        else:
            self.unexpected.append(" ".join(key))
            answer = Answer(418, {"error": {"message": "the test does not expect this"}})
        if answer.fate == "say nothing":
            self._closing.wait()
        if request.path == TOKENS:
            self._tokens += 1
            return Answer(answer.status, answer.body, {**answer.headers, "X-Subject-Token": f"token-{self._tokens}"})
        return answer

    def _open(self) -> None:
        self.answers("POST", TOKENS, 201, {"token": self.token(*_SERVICES.keys() - {"volumev3"})})
        for service, version, path in (("identity/v3", "v3.14", ""), ("image", "v2.15", "v2/")):
            links = [{"rel": "self", "href": f"{self.url}/{service}/{path}"}]
            known = {"id": version, "status": "CURRENT", "links": links}
            self.answers("GET", f"/{service}", 200, {"versions": [known]})

    def token(self, *services: str) -> dict[str, Any]:
        """Return what Keystone says of a token, with these services in its catalogue."""
        known = {"interface": "public", "region": "R", "region_id": "R"}
        catalogue = [
            {"type": name, "name": name, "endpoints": [{**known, "id": name, "url": self.url + _SERVICES[name]}]}
            for name in services
        ]
        domain = {"id": "default", "name": "Default"}
        return {
            "methods": ["password"],
            "user": {"id": US, "name": USERNAME, "domain": domain},
            "project": {"id": PROJECT, "name": "steppe", "domain": domain},
            "roles": [{"id": "r", "name": "admin"}],
            "catalog": catalogue,
            "issued_at": "2024-01-01T00:00:00.000000Z",
            "expires_at": _DAY_AFTER_TOMORROW,
        }


D = TypeVar("D", bound=Double)


@contextmanager
def lasting(double: D) -> Iterator[D]:
    """Give a region that ends with the block, in which nothing unexpected may have been asked."""
    try:
        yield double
    finally:
        double.close()
    assert not double.unexpected


def furnish(region: Double) -> None:
    """Let a region have one project, one image, one network that is shared, and no machines."""
    region.answers("GET", "/identity/v3/domains", body={"domains": [{"id": "default"}]})
    region.answers("GET", "/identity/v3/projects", body={"projects": [{"id": PROJECT, "name": "dsj"}]})
    of_dsj = {"id": PROJECT, "name": "dsj", "domain_id": "default"}
    region.answers("GET", f"/identity/v3/projects/{PROJECT}", body={"project": of_dsj})
    region.answers("GET", "/identity/v3/roles", body={"roles": [{"id": "member-role"}]})
    region.answers("PUT", f"/identity/v3/projects/{PROJECT}/users/{US}/roles/member-role", 204)
    region.answers("GET", "/compute/v2.1/flavors/detail", body={"flavors": []})
    region.answers("POST", "/compute/v2.1/flavors", body={"flavor": {}})
    region.answers("GET", "/image/v2/images", body={"images": [an_image("debian-12", id="an-image")]})
    network = {"id": "gov-network", "project_id": "centre", "shared": True}
    region.answers("GET", f"{NETWORK}/networks", body={"networks": [network]})
    subnets = [{"id": cidr, "network_id": "gov-network", "cidr": cidr} for cidr in ("10.20.0.0/24", "fd20::/64")]
    region.answers("GET", f"{NETWORK}/subnets", body={"subnets": subnets})
    region.answers("GET", f"{NETWORK}/ports", body={"ports": []})
    region.answers("GET", f"{NETWORK}/floatingips", body={"floatingips": []})
    region.answers("POST", f"{NETWORK}/ports", 201, {"port": {"id": "new-port"}})
    group = {"id": "default-group", "project_id": PROJECT}
    region.answers("GET", f"{NETWORK}/security-groups", body={"security_groups": [group]})
    region.answers("GET", f"{NETWORK}/security-group-rules", body={"security_group_rules": []})
    region.answers("GET", f"{SERVERS}/detail", body={"servers": []})
    region.answers("GET", f"{SERVERS}/{NOVAS}/os-instance-actions", body={"instanceActions": []})
    region.answers("POST", SERVERS, 202, {"server": {"id": "new-server"}})


def furnish_volumes(region: Double) -> None:
    """Let a region have Cinder besides, and no volumes."""
    region.answers("POST", TOKENS, 201, {"token": region.token(*WITH_VOLUMES)})
    region.answers("GET", f"{VOLUMES}/detail", body={"volumes": []})
    region.answers("POST", VOLUMES, 202, {"volume": {}})
    region.answers("POST", f"{SERVERS}/{NOVAS}/metadata", body={})


def a_server(spec: MachineSpec | None = None, **changes: Any) -> dict[str, Any]:
    """Return a running server as Nova shows it: one that was made of `spec`, or a stranger's."""
    size = (spec.vcpu, spec.memory_mib, spec.disk_gib) if spec else (1, 512, 10)
    shown = {
        "id": str(NOVAS),
        "name": spec.name if spec else "web",
        "status": "ACTIVE",
        "tenant_id": PROJECT,
        "created": "2024-01-01T00:00:00Z",
        "image": {"id": "an-image"},
        "flavor": dict(zip(("vcpus", "ram", "disk"), size, strict=True)),
        "metadata": metadata(spec) if spec else {},
        "tags": [OURS, tag_of(spec.id)] if spec else [],
        "description": None,
        "OS-EXT-STS:task_state": None,
        "OS-EXT-AZ:availability_zone": "nova",
        "OS-SRV-USG:launched_at": "2024-01-01T00:00:30.000000",
        "OS-EXT-SRV-ATTR:root_device_name": "/dev/vda",
    }
    return shown | changes


def an_image(name: str, **changes: Any) -> dict[str, Any]:
    """Return a public image as Glance shows it, with what a match of the catalogue reads."""
    shown = {"id": f"{name}-id", "name": name, "status": "active", "visibility": "public", "disk_format": "qcow2"}
    return {**shown, "os_hash_value": None, "min_disk": 0, "min_ram": 0, "virtual_size": None} | changes


def a_flavor(name: str, vcpu: int, memory_mib: int, disk_gib: int, **changes: Any) -> dict[str, Any]:
    """Return a public flavor as Nova shows it."""
    size = {"vcpus": vcpu, "ram": memory_mib, "disk": disk_gib}
    shown = {"id": f"{name}-id", "name": name, **size, "swap": 0, "OS-FLV-EXT-DATA:ephemeral": 0, "extra_specs": {}}
    return shown | changes


def a_volume(spec: MachineSpec, number: int, **changes: Any) -> dict[str, Any]:
    """Return a free volume as Cinder shows it to an administrator: data disk `number` of the machine of `spec`, or
    with 0 its first disk. `on` is the server and `device` where it is attached."""
    made = f"{number:08}-0000-4000-8000-{spec.id.hex[-12:]}"
    on, device = changes.pop("on", None), changes.pop("device", f"/dev/vd{'abcdefghi'[number]}")
    here = {"attachment_id": f"attachment-{number}", "server_id": str(on), "device": device, "host_name": "compute1"}
    label = {ID: str(spec.id), NUMBER: str(number), GENERATION: str(spec.generation)}
    label |= {} if number else {BUILDS: str(spec.builds)}
    shown = {
        "id": made,
        "name": volume_name(spec.id, number),
        "status": "in-use" if on else "available",
        "size": (spec.disk_gib, *spec.data_disks)[number],
        "bootable": "false" if number else "true",
        "metadata": {**LABEL, **label},
        "attachments": [{**here, "id": made, "volume_id": made}] if on else [],
        "created_at": "2024-01-01T00:00:00.000000",
        "os-vol-tenant-attr:tenant_id": PROJECT,
        "os-vol-host-attr:host": "compute1@files#files",
    }
    return shown | changes


def _handler(double: Double) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # an answer is written in two parts, and the second must not wait for the first to be acknowledged
        disable_nagle_algorithm = True

        def _take(self) -> None:
            where = urlsplit(self.path)
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.loads(sent) if sent else None
            path = where.path.rstrip("/")
            token, version = (self.headers.get(name) for name in ("X-Auth-Token", "OpenStack-API-Version"))
            answer = double.reply(Request(self.command, path, parse_qs(where.query), body, token, version))
            if answer.fate == "answer":
                self._say(answer)
            else:
                self.close_connection = True

        def _say(self, answer: Answer) -> None:
            plain = isinstance(answer.body, str)
            said = b"" if answer.body is None else (answer.body if plain else json.dumps(answer.body)).encode()
            what = {"Content-Type": "text/html" if plain else "application/json", "Content-Length": str(len(said))}
            self.send_response(answer.status)
            for name, value in {**answer.headers, **what}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: Any) -> None:
            pass

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _take  # noqa: N815 - the names that http.server looks for

    return Handler
