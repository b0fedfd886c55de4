"""Visitors of the console."""

import pytest

from tests.callers import Callers
from tests.web.visitors import Visitors


@pytest.fixture
def visit(http: Callers) -> Visitors:
    """The people of tests, at browsers without script."""
    return Visitors(http)
