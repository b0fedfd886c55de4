"""A pool's record names its driver; the name leads to code that exists."""

from importlib import import_module
from pathlib import Path

import pytest

from provisioners.registry import DRIVERS, UnknownDriver, connect


def test_an_unknown_driver_is_refused_with_the_names_there_are(tmp_path: Path) -> None:
    with pytest.raises(UnknownDriver, match="'vmware'; there are: fake, fake_gateway, libvirt, ocserv"):
        connect("vmware", {}, tmp_path)


@pytest.mark.parametrize("path", DRIVERS.values(), ids=DRIVERS.keys())
def test_every_name_leads_to_a_connect_function(path: str) -> None:
    module, _, function = path.rpartition(".")
    assert callable(getattr(import_module(module), function))
