"""The course of a request as a line of stations: written, submitted, each approval, and how it ended."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import gettext as _

from controlplane import lookups
from web.context import actor, arrival, session
from web.register_words import approval_state
from web.request_words import states
from web.words import role_word

_TONES = {"approved": "good", "open": "wait", "refused": "bad", "returned": "wait"}
_ICONS = {
    "approved": "circle-check",
    "open": "clock",
    "refused": "circle-x",
    "returned": "arrow-back-up",
    "waiting": "circle-dashed",
    "dropped": "circle-minus",
}
_ENDS = {
    "fulfilling": ("busy", "loader"),
    "done": ("good", "check"),
    "refused": ("bad", "circle-x"),
    "returned": ("wait", "arrow-back-up"),
    "withdrawn": ("idle", "circle-minus"),
    "expired": ("idle", "hourglass"),
}


@dataclass(frozen=True, slots=True)
class Station:
    """One station: what it is and how it stands; `who` and `at` once somebody came by, `due` while nobody did."""

    tone: str
    icon: str
    what: str
    state: str = ""
    who: str = ""
    at: datetime | None = None
    due: datetime | None = None
    overdue: bool = False
    note: str = ""
    comment: str = ""


def course(asked: Any, rule_words: Callable[[str], str]) -> list[Station]:
    """Return the stations of a request that its reader was just shown, in order."""
    stations = [Station("good", "edit", _("Written"), who=asked.asked_by_name, at=asked.created_at)]
    if asked.submitted_at:
        stations.append(Station("good", "send", _("Submitted"), who=asked.asked_by_name, at=asked.submitted_at))
    elif asked.state == "draft":
        stations.append(Station("idle", "circle-dashed", _("Not submitted yet")))
    rounds = max((step.round for step in asked.steps), default=1)
    handed = {one.step: one.person for one in lookups.waiting_on(session(), actor(), [asked.id]).get(asked.id, ())}
    stations += [_approval(step, rounds, handed.get(step.id) or "", rule_words) for step in asked.steps]
    if asked.state in _ENDS:
        tone, icon = _ENDS[asked.state]
        at = asked.done_at if asked.state == "done" else asked.decided_at
        stations.append(Station(tone, icon, states()[asked.state], at=at))
    return stations


def _approval(step: Any, rounds: int, handed: str, rule_words: Callable[[str], str]) -> Station:
    what = _("Approval of stage %(stage)s: %(role)s", stage=step.stage, role=role_word(step.role))
    if rounds > 1:
        what = _("Round %(round)s", round=step.round) + _(": ") + what
    is_open = step.state == "open"
    who = step.decided_by_name or (_("handed to %(name)s", name=handed) if handed else "")
    return Station(
        tone=_TONES.get(step.state, "idle"),
        icon=_ICONS[step.state],
        what=what,
        state=approval_state(step.state)[0],
        who=who,
        at=step.decided_at,
        due=step.due_at if is_open else None,
        overdue=bool(is_open and step.due_at and step.due_at < arrival().now),
        note=rule_words(step.rule),
        comment=step.comment,
    )
