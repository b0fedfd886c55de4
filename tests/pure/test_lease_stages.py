"""The table of stages: each has a way out, nothing moves but by the table, and what is off is passed over."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from controlplane.lease_stages import MOVES, STAGES, Due, ImpossibleStep, coming, due, move

NOW = datetime(2026, 11, 2, tzinfo=UTC)


@dataclass(frozen=True)
class Days:
    stop_days: int | None = 0
    quarantine_days: int | None = 7
    delete_days: int | None = 30


@pytest.mark.parametrize("stage", STAGES)
def test_an_extension_leads_back_to_the_first_stage_from_everywhere(stage: str) -> None:
    assert move(stage, "extend") == "granted"  # type: ignore[arg-type]


def test_every_step_that_is_due_is_in_the_table_whatever_is_off() -> None:
    choices = [Days(s, q, d) for s in (None, 1) for q in (None, 1) for d in (None, 1)]
    assert all((one.stage, one.step) in MOVES for days in choices for one in due(days))


def test_no_stage_is_skipped_where_no_step_is_off() -> None:
    assert list(due(Days())) == [
        Due("stop", "ended", 0),
        Due("quarantine", "stopped", 7),
        Due("delete", "quarantined", 30),
    ]


def test_a_step_follows_on_the_one_before_those_that_are_off() -> None:
    assert list(due(Days(quarantine_days=None))) == [
        Due("stop", "ended", 0),
        Due("delete", "quarantined", 30),
        Due("delete", "stopped", 30),
    ]


def test_what_is_not_in_the_table_is_impossible() -> None:
    with pytest.raises(ImpossibleStep):
        move("granted", "delete")


def test_what_comes_next_is_told_with_its_time() -> None:
    assert coming(Days(), "granted", None, NOW) == ("end", NOW)
    assert coming(Days(), "granted", None, None) is None
    assert coming(Days(), "stopped", NOW, NOW) == ("quarantine", NOW + timedelta(days=7))
    assert coming(Days(delete_days=None), "quarantined", NOW, NOW) is None
    assert coming(Days(), "deleting", NOW, NOW) is None
