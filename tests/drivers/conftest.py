"""The pool of each driver that the contract is held against; and an OpenStack region of canned answers, with what an
order finds in any region, and the driver of its pool."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioners.openstack_driver import OpenStackDriver, connect
from tests.drivers import openstack_double as double
from tests.drivers.makers import LABS, Lab
from tests.drivers.openstack_double import Double


@pytest.fixture(params=LABS)
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    """A pool of every driver in turn."""
    lab = LABS[request.param](tmp_path)
    yield lab
    lab.driver.close()


@pytest.fixture
def region() -> Iterator[Double]:
    """A region with one project, one image, one network that is shared, and no machines."""
    with double.lasting(Double()) as made:
        double.furnish(made)
        yield made


@pytest.fixture
def driver(region: Double) -> Iterator[OpenStackDriver]:
    """The driver of a pool that is the region."""
    opened = connect(region.way_in(), Path())
    yield opened
    opened.close()
