"""Waiting on a condition, with a bound."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class TookTooLong(Exception):
    """Something did not come about in time."""


def until(what: str, condition: Callable[[], T], seconds: float, every: float = 0.25) -> T:
    """Return the first true answer of `condition`. Raises TookTooLong after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise TookTooLong(f"{what}: not within {seconds:g} s")
        time.sleep(every)
    return answer
