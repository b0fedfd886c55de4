"""A home for the state of a simulated hypervisor.

libvirt's `test://` driver keeps a whole hypervisor in the memory of the process that opened it. It reads its beginning
from a node file, so a node lives on here as files: one per domain and one per volume, each replaced whole when it
changes, and a node file that names them all, put together at opening. A change costs one small file however many
machines there are; a process killed at any moment leaves every file either as it was or as it became. Files are not
forced to the platter: they outlive the process, not a power cut.
"""

import fcntl
import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal
from urllib.parse import quote

from lxml import etree

from provisioners.contract import Unreachable
from provisioners.libvirt_xml import E

Shelf = Literal["domains", "volumes"]

_TEST = "http://libvirt.org/schemas/domain/test/1.0"
_RUNNING, _SHUTOFF = "1", "5"


@dataclass(frozen=True, slots=True)
class NodeShape:
    """A simulated hypervisor: how many processors, how much memory, its network and its storage pool."""

    cpus: int
    memory_mib: int
    network: str
    storage_pool: str


class NodeFiles:
    """The files of one node, in `folder`. At most one process has a node open."""

    def __init__(self, folder: Path, shape: NodeShape) -> None:
        self._folder = folder
        self._shape = shape
        self._lock: IO[str] | None = None

    def open(self) -> str:
        """Take the node and return the URI to open it by. Raises Unreachable where another process has it."""
        for shelf in ("domains", "volumes"):
            (self._folder / shelf).mkdir(parents=True, exist_ok=True)
        if self._lock is None:
            self._lock = _take(self._folder / "lock")
        for torn in self._folder.glob("*/*.tmp"):
            torn.unlink()
        node = self._folder / "node.xml"
        _replace(node, etree.tostring(self._assemble()))
        return f"test://{quote(str(node.resolve()))}"

    def write(self, shelf: Shelf, name: str, definition: str | None) -> None:
        """Keep the XML of a domain or volume under its name; None removes it."""
        file = self._folder / shelf / f"{quote(name, safe='')}.xml"
        if definition is None:
            file.unlink(missing_ok=True)
        elif not file.exists() or file.read_bytes() != definition.encode():
            _replace(file, definition.encode())

    def close(self) -> None:
        """Let another process have the node."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _assemble(self) -> Any:
        shape = self._shape
        return E.node(
            E.cpu(
                E.mhz("2600"),
                E.model("x86_64"),
                E.active(str(shape.cpus)),
                E.nodes("1"),
                E.sockets("1"),
                E.cores(str(shape.cpus)),
                E.threads("1"),
            ),
            E.memory(str(shape.memory_mib * 1024)),
            *(E.domain(file=file) for file in self._kept("domains")),
            E.network(E.name(shape.network), E.bridge(name="virbr0")),
            E.pool(
                E.name(shape.storage_pool),
                E.target(E.path(f"/{shape.storage_pool}")),
                *(E.volume(file=file) for file in self._kept("volumes")),
                type="dir",
            ),
        )

    def _kept(self, shelf: Shelf) -> list[str]:
        return sorted(str(file.resolve()) for file in (self._folder / shelf).glob("*.xml"))


def with_power(domain: str, running: bool) -> str:
    """Return a domain's definition with the power that the node shall open it with."""
    root = etree.fromstring(domain)
    for old in root.findall(f"{{{_TEST}}}runstate"):
        root.remove(old)
    etree.SubElement(root, f"{{{_TEST}}}runstate", nsmap={"test": _TEST}).text = _RUNNING if running else _SHUTOFF
    return etree.tostring(root, encoding="unicode")


def _take(lock: Path) -> IO[str]:
    file = lock.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        holder = file.read().strip() or "another process"
        file.close()
        raise Unreachable(f"node {lock.parent.name} is open in {holder}") from error
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
    file.flush()
    return file


def _replace(file: Path, content: bytes) -> None:
    torn = file.with_name(f"{file.name}.{os.urandom(4).hex()}.tmp")
    try:
        torn.write_bytes(content)
        torn.replace(file)
    except BaseException:
        with suppress(OSError):
            torn.unlink()
        raise
