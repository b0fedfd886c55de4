"""An OpenStack region in which one server lives: it takes orders, is busy with them until it is told to be done, keeps
what is written on it, and lists what was done to it, as Nova does.

And a way to it whose owner can die at any call. That is what it takes to ask whether an order outlives its worker.
"""

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from provisioners import openstack_driver
from provisioners.contract import MachineSpec
from provisioners.openstack_link import Document, Link, Service
from tests.drivers.openstack_double import NOVAS, PROJECT, SERVERS, Answer, Double, Request, a_server, an_image

Moment = Literal["before", "after"]

_OURS = f"{SERVERS}/{NOVAS}"
_IMAGES = "/image/v2/images"
_BUSY_WITH = {
    "os-stop": "powering-off",
    "os-start": "powering-on",
    "reboot": "rebooting",
    "rebuild": "rebuilding",
    "createImage": "image_uploading",
}
_LISTED = {"os-stop": "stop", "os-start": "start"}
_BECOMES = {"os-stop": "SHUTOFF", "os-start": "ACTIVE"}
_IN_THE_WAY = {"conflictingRequest": {"code": 409, "message": "Cannot do it while it is in another task_state"}}


class Killed(BaseException):
    """A worker's process ended here: nothing of it may catch this."""


@dataclass
class Death:
    """At which call, counted from 1, and on which side of it a worker dies; `call` 0: never. `made`: calls so far."""

    call: int = 0
    moment: Moment = "before"
    made: int = 0


class LivingRegion(Double):
    """A region with one running server of `spec`. `actions` is what was done to it, the oldest first; `kept` are images
    that were made of it, by id."""

    def __init__(self, spec: MachineSpec) -> None:
        super().__init__()
        self.server = a_server(spec)
        self.actions: list[dict[str, Any]] = [{"action": "create", "request_id": "req-0", "message": None}]
        self.refuses: list[str] = []
        """Orders that Nova is too busy for, once each."""
        self.fails: list[str] = []
        """Orders that it takes and that come to nothing, once each."""
        self.kept: dict[str, dict[str, Any]] = {}
        self.answers("GET", _IMAGES, body={"images": [an_image("debian-12"), an_image("kylin-v10")]})

    def settle(self) -> None:
        """Let Nova be done with what it works on."""
        done = self.actions[-1]
        order = next(name for name in _BUSY_WITH if _LISTED.get(name, name) == done["action"])
        self.server["OS-EXT-STS:task_state"] = None
        self.kept = {id_: image | {"status": "active"} for id_, image in self.kept.items()}
        if order in self.fails:
            self.fails.remove(order)
            done["message"] = "Error"
            self.server["status"] = "ERROR" if order == "rebuild" else self.server["status"]
        else:
            was_in_error = self.server["status"] == "ERROR"
            self.server["status"] = _BECOMES.get(order, "ACTIVE" if was_in_error else self.server["status"])

    def done(self, action: str) -> int:
        """Return how often an action was done, whatever came of it."""
        return sum(one["action"] == action for one in self.actions)

    def reply(self, request: Request) -> Answer:
        if request.path.startswith(f"{_IMAGES}/") or "steppe" in request.query:
            self.requests.append(request)
            self.kept.pop(request.path.removeprefix(f"{_IMAGES}/"), None)
            return Answer(200, {"images": list(self.kept.values())})
        if not request.path.startswith(SERVERS):
            return super().reply(request)
        self.requests.append(request)
        what = request.path.removeprefix(_OURS).removeprefix(SERVERS)
        return self._shown(what, request) if request.method == "GET" else self._told(what, request)

    def _shown(self, what: str, request: Request) -> Answer:
        limit = int(request.query.get("limit", ["1000"])[0])
        shown: dict[str, Any] = {
            "/detail": {"servers": [self.server]},
            "": {"server": self.server},
            "/os-instance-actions": {"instanceActions": self.actions[::-1][:limit]},
        }
        of_one = {"instanceAction": {"events": [{"result": "Error", "details": "it went wrong"}]}}
        return Answer(200, shown.get(what, of_one))

    def _told(self, what: str, request: Request) -> Answer:
        if what == "/metadata":
            return self._write(request.body["metadata"])
        if what == "/action":
            [(order, how)] = request.body.items()
            return self._take(order, how or {})
        self.server |= request.body["server"]
        return Answer(200, {})

    def _write(self, metadata: dict[str, str]) -> Answer:
        if self.server["OS-EXT-STS:task_state"]:
            return Answer(409, _IN_THE_WAY)
        self.server["metadata"] = self.server["metadata"] | metadata
        return Answer(200, {"metadata": self.server["metadata"]})

    def _take(self, order: str, how: dict[str, Any]) -> Answer:
        if self.server["OS-EXT-STS:task_state"] or order in self.refuses:
            self.refuses = [one for one in self.refuses if one != order]
            return Answer(409, _IN_THE_WAY)
        self.server["OS-EXT-STS:task_state"] = _BUSY_WITH[order]
        number = len(self.actions)
        if order == "createImage":
            self._begin_image(f"image-{number}", how["name"], how["metadata"])
        else:
            self.server["metadata"] = how.get("metadata", self.server["metadata"])
        self.actions.append({"action": _LISTED.get(order, order), "request_id": f"req-{number}", "message": None})
        return Answer(202)

    def _begin_image(self, id_: str, name: str, properties: dict[str, str]) -> None:
        of_us = {"owner": PROJECT, "created_at": "2026-11-27T00:00:00Z", **properties}
        self.kept[id_] = an_image(name, id=id_, status="queued", **of_us)


def mortal(monkeypatch: pytest.MonkeyPatch, death: Death) -> None:
    """Let whoever opens a driver from now on die at that call."""

    class MortalLink(Link):
        def _call(self, service: Service, method: str, path: str, project: str | None, **how: Any) -> Document | None:
            death.made += 1
            self._reach("before")
            answer = super()._call(service, method, path, project, **how)
            self._reach("after")
            return answer

        def _reach(self, moment: Moment) -> None:
            if (death.made, moment) == (death.call, death.moment):
                raise Killed

    monkeypatch.setattr(openstack_driver, "Link", MortalLink)
