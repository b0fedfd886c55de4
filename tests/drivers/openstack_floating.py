"""A living region with floating IPs: Neutron keeps them, gives an address once, and leads none where no router does."""

from itertools import count
from typing import Any

from provisioners.contract import MachineSpec
from provisioners.openstack_ports import port_name
from tests.drivers.openstack_double import NETWORK, NOVAS, PROJECT, Answer, Request, furnish
from tests.drivers.openstack_living import LivingRegion

FLOATING_IPS, PORT = f"{NETWORK}/floatingips", "its-port"
OUTSIDE = {"id": "ext-network", "name": "ext", "project_id": "centre", "shared": False}
_FOUND_BY = ("description", "project_id", "floating_ip_address")


def neutron(kind: str, message: str) -> dict[str, Any]:
    return {"NeutronError": {"type": kind, "message": message, "detail": ""}}


class FloatingRegion(LivingRegion):
    """A region with one running server of `spec`, its port, and an external network.

    `floating` are its floating IPs by id; `there` is whether the server was made yet; `routed` is whether a router
    leads from the external network to the port; `on_ports` are addresses that ports have; `quota` is how many there may
    be until somebody writes it.
    """

    def __init__(self, spec: MachineSpec) -> None:
        super().__init__(spec)
        self.floating: dict[str, dict[str, Any]] = {}
        self.outside = [OUTSIDE]
        self.there = True
        self.routed = True
        self.on_ports: set[str] = set()
        self.quota: int | None = None
        self._numbers = count(1)
        furnish(self)
        port = {"id": PORT, "name": port_name(spec.id, 0), "device_id": str(NOVAS), "project_id": PROJECT}
        self.answers("POST", f"{NETWORK}/ports", 409, neutron("IpAddressAlreadyAllocated", "it has a port already"))
        self.answers("GET", f"{NETWORK}/ports", body={"ports": [port]})
        self.answers("GET", f"{NETWORK}/ports/{PORT}", body={"port": port})

    def put(self, floating_ip_address: str, **changes: Any) -> dict[str, Any]:
        """Let there be a floating IP, and return it."""
        made = {
            "id": f"floating-{next(self._numbers)}",
            "floating_ip_address": floating_ip_address,
            "project_id": PROJECT,
        }
        made |= {"floating_network_id": OUTSIDE["id"], "description": "", "port_id": None, "fixed_ip_address": None}
        self.floating[made["id"]] = made | changes
        return self.floating[made["id"]]

    def leading(self) -> list[str]:
        """Return the addresses that lead to the server."""
        return [one["floating_ip_address"] for one in self.floating.values() if one["port_id"] == PORT]

    def reply(self, request: Request) -> Answer:
        if request.path == f"{NETWORK}/quotas/{PROJECT}":
            self.quota = None
        if "router:external" in request.query:
            self.requests.append(request)
            return Answer(200, {"networks": self.outside})
        if not request.path.startswith(FLOATING_IPS):
            return super().reply(request)
        self.requests.append(request)
        id_ = request.path.removeprefix(FLOATING_IPS).removeprefix("/")
        if request.method == "GET" and not id_:
            return Answer(200, {"floatingips": [self._as_shown(one) for one in self._listed(request)]})
        if id_ and id_ not in self.floating:
            return Answer(404, neutron("FloatingIPNotFound", f"Floating IP {id_} could not be found"))
        return getattr(self, f"_{request.method.lower()}")(id_, (request.body or {}).get("floatingip"))

    def _shown(self, what: str, request: Request) -> Answer:
        return super()._shown(what, request) if self.there else Answer(200, {"servers": []})

    def _told(self, what: str, request: Request) -> Answer:
        if what or "networks" not in request.body["server"]:
            return super()._told(what, request)
        self.there = True
        self.server["metadata"] = request.body["server"]["metadata"]
        return Answer(202, {"server": self.server})

    def _listed(self, request: Request) -> list[dict[str, Any]]:
        asked = {name: request.query[name] for name in _FOUND_BY if name in request.query}
        return [one for one in self.floating.values() if all(one[name] in values for name, values in asked.items())]

    def _as_shown(self, one: dict[str, Any]) -> dict[str, Any]:
        return {**one, "port_details": {"device_id": str(NOVAS)} if one["port_id"] == PORT else None}

    def _get(self, id_: str, _body: None) -> Answer:
        return Answer(200, {"floatingip": self._as_shown(self.floating[id_])})

    def _delete(self, id_: str, _body: None) -> Answer:
        del self.floating[id_]
        return Answer(204)

    def _put(self, id_: str, body: dict[str, Any]) -> Answer:
        refusal = self._refusal(id_, body)
        if refusal:
            return refusal
        self.floating[id_] |= body
        return self._get(id_, None)

    def _post(self, _id: str, body: dict[str, Any]) -> Answer:
        if self.quota == len(self.floating):
            return Answer(409, neutron("OverQuota", "Quota exceeded for resources: floatingip"))
        if body["floating_ip_address"] in self.on_ports | {o["floating_ip_address"] for o in self.floating.values()}:
            return Answer(409, neutron("IpAddressAlreadyAllocated", "IP address already allocated in subnet"))
        refusal = self._refusal("", body)
        return refusal or Answer(201, {"floatingip": self.put(**body)})

    def _refusal(self, id_: str, body: dict[str, Any]) -> Answer | None:
        if not self.routed:
            words = "External network ext-network is not reachable from subnet"
            return Answer(404, neutron("ExternalGatewayForFloatingIPNotFound", words))
        if any(one["port_id"] == body["port_id"] and one["id"] != id_ for one in self.floating.values()):
            return Answer(409, neutron("FloatingIPPortAlreadyAssociated", "that fixed IP already has a floating IP"))
        return None
