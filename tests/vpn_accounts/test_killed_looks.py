"""A look at a gateway that dies, at each of its steps, and is begun anew: it ends where a look without a death ends.

A worker that is killed leaves what it had committed and what it had told the gateway, and nothing else. So it dies here
before and after each call of the driver, and before and after each commit, by an error that nothing catches.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import event, select, text

from controlplane import jobs
from controlplane.db import transaction
from controlplane.kinds.vpn_account import VpnAccountSize
from controlplane.models import AuditEvent, PoolCheck, VpnSession
from controlplane.reconcile import gateways
from tests.vpn_accounts.lab import VpnLab
from tests.vpn_accounts.scene import row

STEPS = ("tunnels", "disconnect", "groups", "set_groups")
ROLES = ("suspended", "revoked", "fewer", "cut", "lost", "fresh")


class Killed(BaseException):
    """The worker is dead."""


class Points:
    """Where a look can die: it notes the points that it comes to, and dies at the one with the number `at`."""

    def __init__(self, vpn: VpnLab) -> None:
        self.reached: list[str] = []
        self.at: int | None = None
        self.armed = False
        for step in STEPS:
            setattr(vpn.gateway, step, self._between(step, getattr(vpn.gateway, step)))
        event.listen(vpn.sessions, "before_commit", lambda _: self._reach("before a commit"))
        event.listen(vpn.sessions, "after_commit", lambda _: self._reach("after a commit"))

    def arm(self, at: int | None) -> None:
        self.reached, self.at, self.armed = [], at, True

    def _reach(self, point: str) -> None:
        if self.armed:
            self.reached.append(point)
            if len(self.reached) - 1 == self.at:
                self.armed = False
                raise Killed(point)

    def _between(self, step: str, act: Callable[..., Any]) -> Callable[..., Any]:
        def acts(*given: Any) -> Any:
            self._reach(f"before {step}")
            done = act(*given)
            self._reach(f"after {step}")
            return done

        return acts


@dataclass(frozen=True)
class Life:
    """Six accounts of which each is ordered something else, and what is at the gateway of them."""

    number: int
    accounts: dict[str, UUID]

    def name(self, role: str) -> str:
        return f"wang{role}{self.number}"


def prepare(vpn: VpnLab, number: int) -> Life:
    """Order something of each of six accounts, while another job waits and somebody has taken the groups away."""
    old, two = (*ROLES[:2], *ROLES[3:5]), "fewer"
    rows = [row(f"{role}{number}") for role in old] + [row(f"{two}{number}", max_sessions=2)]
    made = dict(zip((*old, two), vpn.ask(*rows), strict=True))
    vpn.issue()
    vpn.look()
    life = Life(number, made)
    for role in ("suspended", "revoked", "fewer", "cut"):
        vpn.let_in(life.name(role), f"{role} {number}")
    vpn.let_in(life.name(two), f"second {number}", since=4e9 + 1)
    vpn.started(f"cut {number}", life.name("cut"), None, 60)
    vpn.started(f"lost {number}", life.name("lost"), None, 60)
    vpn.act(made["suspended"], "stop")
    vpn.act(made["revoked"], "delete")
    vpn.act(made[two], "resize", VpnAccountSize(max_sessions=1))
    vpn.disconnect(f"cut {number}")
    made["fresh"] = vpn.ask(row(f"fresh{number}"))[0]
    vpn.gateway.set_groups([])
    with transaction(vpn.sessions) as session:
        session.execute(text("DELETE FROM procrastinate_jobs"))
        jobs.enqueue_pool(session, vpn.pool.id)
    return life


def picture(vpn: VpnLab, life: Life) -> dict[str, Any]:
    """Return all that a look leaves, without what tells one life from another."""
    by_id = {account: role for role, account in life.accounts.items()}
    with vpn.sessions() as session:
        said = session.execute(select(AuditEvent.target_id, AuditEvent.action).where(AuditEvent.actor_name == "worker"))
        sessions = session.scalars(select(VpnSession).where(VpnSession.unique_id.endswith(f" {life.number}")))
        return {
            "states": dict(zip(life.accounts, vpn.states(*life.accounts.values()), strict=True)),
            "seen": {role: vpn.record(one).observed_generation for role, one in life.accounts.items()},
            "up": sorted(t.session.split()[0] for t in vpn.gateway.tunnels() if t.session.endswith(f" {life.number}")),
            "closed": {one.unique_id.split()[0]: one.cause for one in sessions if one.stopped},
            "said": Counter((by_id[one], action) for one, action in said if one in by_id),
            "known": {role for role in life.accounts if life.name(role) in vpn.known()},
            "groups": {group.name for group in vpn.gateway.groups()},
            "jobs": sorted(vpn.jobs()),
            "trouble": session.get_one(PoolCheck, vpn.pool.id).trouble,
            "wrong in the ledger": vpn.discrepancies(),
        }


def not_said(points: list[str]) -> range:
    """Return the points after which nobody knows that the groups were set: they are as wanted, with nothing on record.

    It cannot be told beforehand: it would be told of each try, at a gateway that refuses them for days.
    """
    done = points.index("after set_groups")
    return range(done, points.index("after a commit", done))


def test_a_look_that_dies_at_any_step_and_is_begun_anew_ends_as_one_that_did_not(vpn: VpnLab) -> None:
    points = Points(vpn)
    life = prepare(vpn, 0)
    points.arm(None)
    gateways.attend(vpn.sessions, vpn.drivers, vpn.pool.id)
    points.armed, whole = False, points.reached
    expected, unsaid = picture(vpn, life), not_said(whole)
    assert expected["states"] == {
        "suspended": "stopped", "revoked": "deleted", "cut": "running", "lost": "running", "fewer": "running",
        "fresh": "running",
    }  # fmt: skip
    assert (expected["up"], set(expected["closed"])) == (["fewer"], {"cut", "lost"})
    assert {f"{when} {step}" for when in ("before", "after") for step in STEPS} <= set(whole)
    for at, point in enumerate(whole):
        life, told = prepare(vpn, at + 1), vpn.said("pool.configure")
        points.arm(at)
        try:
            gateways.attend(vpn.sessions, vpn.drivers, vpn.pool.id)
        except Killed:
            pass
        else:
            raise AssertionError(f"it did not die {point}")
        left = picture(vpn, life)
        undone = {role for role in ("suspended", "revoked") if left["states"][role] in ("changing", "deleting")}
        assert {"suspended", "revoked"} & set(left["up"]) <= undone, f"done with a tunnel up: {point}"
        # Its job belongs to nobody for a while and is then done by another worker.
        gateways.attend(vpn.sessions, vpn.drivers, vpn.pool.id)
        assert picture(vpn, life) == expected, f"killed at step {at}: {point}"
        assert vpn.said("pool.configure") - told == (at not in unsaid), f"killed at step {at}: {point}"
