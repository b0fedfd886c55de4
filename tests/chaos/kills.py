"""Every kill: a verb is ordered, somebody is killed right at one point of it, and the end is compared with the ask."""

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Literal, get_args
from uuid import uuid4

from tests.chaos.oracle import Oracle, Wanted
from tests.chaos.steppe import PATIENCE, Answer, Steppe, Victim
from tests.chaos.traps import Point
from tests.cli.processes import until

Verb = Literal["create", "resize", "rebuild", "delete"]

STEPS: Mapping[Verb, tuple[str, ...]] = {
    "create": ("create",),
    "resize": ("stop", "resize", "start"),
    "rebuild": ("stop", "rebuild", "start"),
    "delete": ("delete",),
}
_SMALL, _LARGE = {"vcpu": 1, "memory_mib": 512, "disk_gib": 10}, {"vcpu": 2, "memory_mib": 1024, "disk_gib": 20}
_DONE = {"running", "stopped", "faulted"}


@dataclass(frozen=True)
class Kill:
    """Who is killed, and where somebody stands then."""

    verb: Verb
    step: str
    phase: str
    victim: Victim


@dataclass(frozen=True)
class Outcome:
    """How it ended: `wrong` in words, and how long it took from the kill to the end that was asked."""

    kill: Kill
    wrong: tuple[str, ...]
    seconds: float


def every_kill() -> Iterator[Kill]:
    """Yield all of them: the steps on the hypervisor, the record of what came of them, the requests.

    Victims take turns: one that is killed again soon after its start would be started later each time.
    """
    for verb, steps in STEPS.items():
        for step in steps:
            for phase in ("before", "half way", "after"):
                yield from (Kill(verb, step, phase, victim) for victim in get_args(Victim))
        for phase in ("half way", "after"):
            yield from (Kill(verb, "save", phase, victim) for victim in get_args(Victim))
        for phase in ("begun", "written", "committed"):
            yield from (Kill(verb, "request", phase, victim) for victim in ("web", "database"))


class Range:
    """A running Steppe with VMs to order about."""

    def __init__(self, running: Steppe, kills: int) -> None:
        self.steppe = running
        self.oracle = Oracle(running)
        self.wanted: dict[str, Wanted] = {}
        self._numbers = count(1)
        asks = [self._ask() for _ in range(kills)]
        for ask in asks:
            ask.pop("department")
        made = running.made("/vms/bulk", department="environment", vms=asks) if asks else Answer(202, {"vms": []})
        self._ready = [vm["id"] for vm in made.body["vms"]]
        for vm, ask in zip(self._ready, asks, strict=True):
            self.wanted[vm] = Wanted(ask["name"], **_SMALL)
        for vm in self._ready:
            self._settled(vm)

    def carry_out(self, kill: Kill) -> Outcome:
        """Do one kill and say how it ended."""
        began = time.monotonic()
        try:
            return self._carry_out(kill)
        except AssertionError as error:
            return Outcome(kill, (str(error),), time.monotonic() - began)

    def _carry_out(self, kill: Kill) -> Outcome:
        vm = "" if kill.verb == "create" else self._ready.pop()
        order, trace = self._order(kill.verb, vm), uuid4().hex
        until(self.steppe.whole, "all parts to run", PATIENCE)
        self.steppe.traps.set(Point(kill.step, kill.phase, trace if kill.step == "request" else vm))
        answers: list[Answer] = []
        client = threading.Thread(target=lambda: answers.append(self.steppe.ask(*order, trace)))
        client.start()
        try:
            caught = self.steppe.traps.wait()
            began = time.monotonic()
            itself = kill.victim == "worker" or (kill.victim == "web" and kill.step == "request")
            self.steppe.kill(kill.victim, caught.pid if itself else None)
        finally:
            self.steppe.traps.release()
            client.join(PATIENCE)
        wrong = self._judge(kill, vm, answers)
        return Outcome(kill, tuple(wrong), time.monotonic() - began)

    def judge_all(self) -> list[str]:
        """Compare everything that there is with everything that was asked."""
        return self.oracle.everything(self.wanted)

    def _judge(self, kill: Kill, vm: str, answers: list[Answer]) -> list[str]:
        if not answers or answers[0].status != 202:
            return [f"the client was answered {answers}"]
        made = answers[0].body["id"]
        if vm and made != vm:
            return [f"the answer is about {made}, not {vm}"]
        before = self.wanted.get(made)
        after = _after(kill.verb, before or Wanted(answers[0].body["name"], **_SMALL))
        if after is None:
            del self.wanted[made]
        else:
            self.wanted[made] = after
        try:
            self._settled(made)
        except AssertionError as error:
            return [f"{error}: {self.steppe.call('GET', f'/vms/{made}').body}"]
        return self.oracle.one(made, after)

    def _ask(self) -> dict[str, Any]:
        name = f"vm-{next(self._numbers):03}"
        rest = {"system": "air", "image": "debian-12", "subnets": ["business"], "department": "environment"}
        return {"name": name, **rest, **_SMALL}

    def _order(self, verb: Verb, vm: str) -> tuple[str, str, Any]:
        if verb == "create":
            return "POST", "/vms", self._ask()
        if verb == "delete":
            return "DELETE", f"/vms/{vm}", None
        body = _LARGE if verb == "resize" else {"image": "debian-13"}
        return "POST", f"/vms/{vm}/{verb}", body

    def _settled(self, vm: str) -> None:
        def settled() -> bool:
            answer = self.steppe.call("GET", f"/vms/{vm}")
            seen = answer.body.get("observed_generation") == answer.body.get("generation")
            done = answer.status == 200 and answer.body["state"] in _DONE and seen
            return (done or answer.status == 404) and not self.oracle.jobs(vm)

        until(settled, f"{vm} to settle", PATIENCE)


def _after(verb: Verb, was: Wanted) -> Wanted | None:
    """Return what a VM must be once a verb is done."""
    if verb == "delete":
        return None
    if verb == "resize":
        return replace(was, **_LARGE)
    if verb == "rebuild":
        return replace(was, image="debian-13", builds=was.builds + 1)
    return was
