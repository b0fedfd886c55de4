"""Kinds of resource. Adding one is one file here, one driver and one page; nothing generic names a kind."""

from controlplane.kinds.contract import Kind
from controlplane.kinds.vm import VM

KINDS: dict[str, Kind] = {kind.name: kind for kind in (VM,)}

__all__ = ["KINDS", "Kind"]
