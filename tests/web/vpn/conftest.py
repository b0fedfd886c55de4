"""Pages of VPN are looked at in a centre that has a gateway."""

import pytest

from tests.callers import Callers


@pytest.fixture
def http(vpn_http: Callers) -> Callers:
    return vpn_http
