"""Kinds of resource. Adding one is one file here, one driver and one page; nothing generic names a kind."""

from controlplane.kinds.contract import Found, Kind
from controlplane.kinds.vm import VM
from controlplane.kinds.vm_found import VM_FOUND
from controlplane.kinds.vpn_account import VPN_ACCOUNT

KINDS: dict[str, Kind] = {kind.name: kind for kind in (VM, VPN_ACCOUNT)}
FOUND: dict[str, Found] = {VM.name: VM_FOUND}

__all__ = ["FOUND", "KINDS", "Found", "Kind"]
