"""Which drivers there are.

A table of names and dotted paths, so that a driver's library is loaded only where a pool asks for it, and so that a
pool's record names its driver by a word that never changes when code moves.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from provisioners.contract import Driver

DRIVERS: Mapping[str, str] = {
    "fake": "provisioners.fake_driver.connect",
    "libvirt": "provisioners.libvirt_driver.connect",
    "openstack": "provisioners.openstack_driver.connect",
    "fake_gateway": "provisioners.fake_gateway.connect",
    "ocserv": "provisioners.ocserv_driver.connect",
}


class UnknownDriver(LookupError):
    """No driver has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no driver is named {name!r}; there are: {', '.join(sorted(DRIVERS))}")
        self.name = name


def connect(name: str, connection: Mapping[str, Any], state_dir: Path) -> Driver:
    """Return the driver `name` for the pool that `connection` describes; nothing is opened before its first call.

    `connection` is the driver's own dictionary (see its module). `state_dir` is where a driver may keep files of its
    own. Raises UnknownDriver, and Rejected where the driver cannot make sense of `connection`.
    """
    if name not in DRIVERS:
        raise UnknownDriver(name)
    module, _, function = DRIVERS[name].rpartition(".")
    driver = cast("Callable[[Mapping[str, Any], Path], Driver]", getattr(import_module(module), function))
    return driver(connection, state_dir)
