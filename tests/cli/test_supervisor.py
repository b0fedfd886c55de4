"""How soon a child that ended is started again."""

from controlplane.cli.supervisor import Pace


def test_a_child_that_keeps_ending_at_once_waits_longer_each_time_and_never_beyond_half_a_minute() -> None:
    pace = Pace(started=100.0)
    assert [pace.wait(now=100.5) for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]


def test_a_child_that_ran_steadily_is_started_again_soon() -> None:
    pace = Pace(started=100.0)
    for _ in range(7):
        pace.wait(now=100.5)
    pace.started = 200.0
    assert pace.wait(now=205.0) == 1
    pace.started = 206.0
    assert pace.wait(now=206.5) == 2
