"""When a delivery that failed is tried again, and when it is given up."""

from datetime import datetime, timedelta

FIRST, LONGEST = timedelta(seconds=30), timedelta(hours=1)
GIVEN_UP_AFTER = timedelta(days=3)
DISABLED_AFTER = 60
"""Failures in a row after which a webhook is disabled: about two days, as it is tried once an hour in the end."""


def wait(attempts: int) -> timedelta:
    """Return how long to wait after so many tries in vain: 30 seconds, each time twice that, at most an hour."""
    return min(FIRST * (1 << min(attempts - 1, 10)), LONGEST)


def is_over(made_at: datetime, now: datetime) -> bool:
    """Tell whether a delivery is given up."""
    return now - made_at >= GIVEN_UP_AFTER
