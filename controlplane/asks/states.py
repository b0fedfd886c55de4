"""The states of a request and of its approvals, and the only moves between them."""

from typing import Literal, get_args

State = Literal[
    "draft",
    "submitted",
    "in_review",
    "approved",
    "fulfilling",
    "done",
    "returned",
    "refused",
    "withdrawn",
    "expired",
]
Event = Literal["submit", "review", "approve", "fulfil", "finish", "return", "refuse", "withdraw", "expire"]
StepState = Literal["waiting", "open", "approved", "refused", "returned", "dropped"]

STATES: tuple[State, ...] = get_args(State)
STEP_STATES: tuple[StepState, ...] = get_args(StepState)
OPEN: tuple[State, ...] = ("submitted", "in_review")
"""States in which somebody has to decide, and the demand is held."""
DECIDED: tuple[StepState, ...] = ("approved", "refused", "returned")
EDITABLE: frozenset[State] = frozenset({"draft", "returned"})

MOVES: dict[tuple[State, Event], State] = {
    ("draft", "submit"): "submitted",
    ("draft", "withdraw"): "withdrawn",
    ("submitted", "review"): "in_review",
    ("submitted", "approve"): "approved",
    ("submitted", "return"): "returned",
    ("submitted", "refuse"): "refused",
    ("submitted", "withdraw"): "withdrawn",
    ("submitted", "expire"): "expired",
    ("in_review", "review"): "in_review",
    ("in_review", "approve"): "approved",
    ("in_review", "return"): "returned",
    ("in_review", "refuse"): "refused",
    ("in_review", "withdraw"): "withdrawn",
    ("in_review", "expire"): "expired",
    ("returned", "submit"): "submitted",
    ("returned", "withdraw"): "withdrawn",
    ("returned", "expire"): "expired",
    ("approved", "fulfil"): "fulfilling",
    ("fulfilling", "finish"): "done",
}


class ImpossibleMove(Exception):
    """There is no line in the table for this state and event."""


def move(state: State, event: Event) -> State:
    """Return the state after `event`. Raises ImpossibleMove."""
    try:
        return MOVES[state, event]
    except KeyError:
        raise ImpossibleMove(f"{event} while {state}") from None
