"""The way in, for tests of its rules."""

import pytest

from controlplane.db import Sessions
from tests.identity.gate import Gate


@pytest.fixture
def gate(sessions: Sessions) -> Gate:
    """The way into an empty installation."""
    return Gate(sessions)
