"""An OpenStack region in which nothing lives yet: ports, volumes and servers are there as soon as they are asked for,
and ready or gone when its servers are next looked at.

It is for asking what is left of an order whose worker died, and what the next one finds of it.
"""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from tests.drivers.openstack_double import (
    NETWORK,
    PROJECT,
    SERVERS,
    TOKENS,
    VOLUMES,
    WITH_VOLUMES,
    Answer,
    Double,
    Request,
    a_flavor,
    a_server,
    furnish,
)

Thing = dict[str, Any]

_FLAVORS = "/compute/v2.1/flavors"
_TAKEN = {"NeutronError": {"type": "MacAddressInUse", "message": "in use", "detail": ""}}


class BuildingRegion(Double):
    """A region with one project, one image and one shared network. `there` is what it holds of each kind, by id."""

    def __init__(self) -> None:
        super().__init__()
        self.there: dict[str, dict[str, Thing]] = {"ports": {}, "volumes": {}, "servers": {}, "flavors": {}}
        furnish(self)
        self.answers("POST", TOKENS, 201, {"token": self.token(*WITH_VOLUMES)})
        self._at = {f"{NETWORK}/ports": "ports", VOLUMES: "volumes", SERVERS: "servers", _FLAVORS: "flavors"}
        self._make: dict[str, Callable[[Thing], Thing]] = {
            "volumes": _volume,
            "servers": self._built,
            "flavors": _flavor,
        }

    def settle(self) -> None:
        """Let Nova and Cinder be done with what they work on."""
        servers, volumes = self.there["servers"], self.there["volumes"]
        for gone in [id_ for id_, server in servers.items() if server["OS-EXT-STS:task_state"] == "deleting"]:
            del servers[gone]
        for server in servers.values():
            server["status"] = "ACTIVE"
        for volume in volumes.values():
            volume["attachments"] = [a for a in volume["attachments"] if a["server_id"] in servers]
            volume["status"] = "in-use" if volume["attachments"] else "available"

    def reply(self, request: Request) -> Answer:
        for path, kind in self._at.items():
            if request.path.startswith(path):
                self.requests.append(request)
                if (request.method, kind) == ("GET", "servers"):
                    self.settle()
                return self._about(request, kind, request.path.removeprefix(path).strip("/"))
        return super().reply(request)

    def _about(self, request: Request, kind: str, which: str) -> Answer:
        held, one = self.there[kind], kind.removesuffix("s")
        if request.method == "GET":
            return Answer(200, {kind: [thing for thing in held.values() if _is_asked_for(thing, request)]})
        if request.method == "DELETE":
            if kind == "servers":
                held[which]["OS-EXT-STS:task_state"] = "deleting"
            else:
                del held[which]
            return Answer(204)
        asked = request.body[one]
        if any(kind == "ports" and port["name"] == asked["name"] for port in held.values()):
            return Answer(409, _TAKEN)
        made = {"id": str(uuid4()), "device_id": "", **self._make.get(kind, dict)(asked)}
        held[made["id"]] = made
        return Answer(202, {one: made})

    def _built(self, asked: Thing) -> Thing:
        made, disks = (
            str(uuid4()),
            [d["uuid"] for d in asked["block_device_mapping_v2"] if d["source_type"] == "volume"],
        )
        for letter, volume in zip("abcdefgh", (self.there["volumes"][id_] for id_ in disks), strict=False):
            assert volume["status"] == "available"
            volume |= {"status": "attaching", "attachments": [{"server_id": made, "device": f"/dev/vd{letter}"}]}
        attached = {"os-extended-volumes:volumes_attached": [{"id": id_} for id_ in disks]}
        known = {name: asked[name] for name in ("name", "metadata", "tags")}
        flavor = self.there["flavors"][asked["flavorRef"]]
        return a_server(**known, id=made, status="BUILD", image=asked.get("imageRef", ""), flavor=flavor, **attached)


def _flavor(asked: Thing) -> Thing:
    return a_flavor(asked["name"], asked["vcpus"], asked["ram"], asked["disk"], id=asked["id"])


def _volume(asked: Thing) -> Thing:
    made = {"attachments": [], "created_at": "2024-01-01T00:00:00.000000", "os-vol-tenant-attr:tenant_id": PROJECT}
    image = "imageRef" in asked
    return {**asked, **made, "status": "downloading" if image else "creating", "bootable": str(image).lower()}


def _is_asked_for(thing: Thing, request: Request) -> bool:
    """Tell whether a list is to have a thing, by its name or id. Labels the driver looks at itself."""
    names, ids = request.query.get("name"), request.query.get("id")
    return (not names or thing["name"] in names) and (not ids or thing["id"] in ids[0])
