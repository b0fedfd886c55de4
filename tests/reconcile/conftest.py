"""A lab for each test: a small centre on a database of its own, with drivers that forget nothing between looks."""

from collections.abc import Iterator

import pytest

from controlplane.bootstrap import Installation
from tests.reconcile.lab import Lab, furnish
from tests.templates import Template


@pytest.fixture(scope="session")
def start_lab(template: Template[None]) -> Iterator[Template[None]]:
    """A small centre with one fake hypervisor."""
    with template.furnished(furnish) as made:
        yield made


@pytest.fixture
def lab(installation: Installation, start_lab: Template[None]) -> Iterator[Lab]:
    """A lab with one fake hypervisor."""
    with Lab(installation) as made:
        yield made


@pytest.fixture
def wide_lab(installation: Installation) -> Iterator[Lab]:
    """A lab with three fake hypervisors."""
    with Lab(installation, hypervisors=3) as made:
        yield made


@pytest.fixture
def libvirt_lab(installation: Installation) -> Iterator[Lab]:
    """A lab whose one hypervisor is libvirt's own simulated one."""
    with Lab(installation, driver="libvirt") as made:
        yield made
