"""The states of a resource and the only moves between them."""

from typing import Literal, get_args

State = Literal["building", "running", "stopped", "changing", "deleting", "deleted", "faulted"]
Event = Literal["change", "remove", "keep", "settled_on", "settled_off", "gone", "fault"]

STATES: tuple[State, ...] = get_args(State)
IN_TRANSITION: frozenset[State] = frozenset({"building", "changing", "deleting"})
SETTLED: frozenset[State] = frozenset({"running", "stopped"})

MOVES: dict[tuple[State, Event], State] = {
    ("building", "settled_on"): "running",
    ("building", "settled_off"): "stopped",
    ("building", "change"): "changing",
    ("building", "remove"): "deleting",
    ("building", "fault"): "faulted",
    ("running", "change"): "changing",
    ("running", "remove"): "deleting",
    ("running", "settled_on"): "running",
    ("running", "fault"): "faulted",
    ("stopped", "change"): "changing",
    ("stopped", "remove"): "deleting",
    ("stopped", "settled_off"): "stopped",
    ("stopped", "fault"): "faulted",
    ("changing", "change"): "changing",
    ("changing", "remove"): "deleting",
    ("changing", "settled_on"): "running",
    ("changing", "settled_off"): "stopped",
    ("changing", "fault"): "faulted",
    ("faulted", "change"): "changing",
    ("faulted", "remove"): "deleting",
    ("faulted", "keep"): "changing",
    ("faulted", "settled_on"): "running",
    ("faulted", "settled_off"): "stopped",
    ("faulted", "fault"): "faulted",
    ("deleting", "remove"): "deleting",
    ("deleting", "keep"): "changing",
    ("deleting", "fault"): "faulted",
    ("deleting", "gone"): "deleted",
    ("faulted", "gone"): "deleted",
}


class ImpossibleMove(Exception):
    """There is no line in the table for this state and event."""


def move(state: State, event: Event) -> State:
    """Return the state after `event`. Raises ImpossibleMove."""
    try:
        return MOVES[state, event]
    except KeyError:
        raise ImpossibleMove(f"{event} while {state}") from None
