"""The table of states: nothing gets stuck, nothing comes back from the dead, nothing moves but by the table."""

from typing import get_args

import pytest

from controlplane.lifecycle import IN_TRANSITION, MOVES, SETTLED, STATES, Event, ImpossibleMove, State, move

FINAL: frozenset[State] = frozenset({"deleted"})
EVENTS: tuple[Event, ...] = get_args(Event)


def reachable(start: State) -> set[State]:
    found: set[State] = {start}
    while True:
        more = {after for (before, _), after in MOVES.items() if before in found} - found
        if not more:
            return found
        found |= more


@pytest.mark.parametrize("state", STATES)
def test_every_state_is_left_or_final(state: State) -> None:
    ways_out = {after for (before, _), after in MOVES.items() if before == state} - {state}
    assert bool(ways_out) != (state in FINAL)


@pytest.mark.parametrize("state", STATES)
def test_every_state_comes_about_from_building(state: State) -> None:
    assert state in reachable("building")


@pytest.mark.parametrize("state", STATES)
def test_every_state_can_end_as_deleted(state: State) -> None:
    assert "deleted" in reachable(state)


def test_the_table_names_only_known_states_and_events_and_all_of_them() -> None:
    assert {state for state, _ in MOVES} | set(MOVES.values()) == set(STATES)
    assert {event for _, event in MOVES} == set(EVENTS)


def test_nothing_leaves_deleted() -> None:
    assert [event for event in EVENTS if ("deleted", event) in MOVES] == []


def test_what_was_asked_to_go_never_runs_again_but_by_way_of_a_fault_or_where_that_is_taken_back() -> None:
    after = {after for (before, event), after in MOVES.items() if before == "deleting" and event != "keep"}
    assert after == {"deleting", "deleted", "faulted"}
    assert move("deleting", "keep") == "changing"


@pytest.mark.parametrize("state", sorted(set(STATES) - FINAL))
def test_everything_that_is_not_gone_can_be_removed_and_can_fail(state: State) -> None:
    assert move(state, "remove") == "deleting"
    assert move(state, "fault") == "faulted"


@pytest.mark.parametrize("state", sorted(set(STATES) - FINAL - {"deleting", "running", "stopped"}))
def test_everything_on_its_way_settles_on_or_off(state: State) -> None:
    assert (move(state, "settled_on"), move(state, "settled_off")) == ("running", "stopped")


def test_a_settled_resource_that_is_found_as_it_was_stays_so() -> None:
    assert (move("running", "settled_on"), move("stopped", "settled_off")) == ("running", "stopped")


def test_only_what_was_to_go_or_has_failed_can_be_gone() -> None:
    assert {state for state in STATES if (state, "gone") in MOVES} == {"deleting", "faulted"}


def test_settled_in_transition_faulted_and_deleted_are_all_the_states_and_none_is_two_of_them() -> None:
    parts = [IN_TRANSITION, SETTLED, {"faulted"}, FINAL]
    assert sorted(state for part in parts for state in part) == sorted(STATES)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("event", EVENTS)
def test_a_move_is_possible_exactly_where_the_table_has_a_line(state: State, event: Event) -> None:
    if (state, event) in MOVES:
        assert move(state, event) == MOVES[state, event]
    else:
        with pytest.raises(ImpossibleMove, match=f"{event} while {state}"):
            move(state, event)
