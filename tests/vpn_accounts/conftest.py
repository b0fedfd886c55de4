"""A VPN lab for each test, on a database of its own."""

from collections.abc import Iterator

import pytest

from controlplane.bootstrap import Installation
from tests.vpn_accounts.lab import VpnLab


@pytest.fixture
def vpn(installation: Installation) -> Iterator[VpnLab]:
    """A small centre with one simulated gateway."""
    lab = VpnLab(installation)
    yield lab
    lab.close()
