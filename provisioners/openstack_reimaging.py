"""Rebuilds of servers whose first disk is a volume: Nova has Cinder put the image on it, which it can do since Zed.

Cinder tells Nova once it is done, by the event `volume-reimaged`; a Nova that waits in vain leaves the server in error.
"""

from provisioners.contract import Rejected
from provisioners.openstack_link import Link
from provisioners.openstack_servers import Server, boots_from_volume

MICROVERSION = "2.93"
"""Asked with an older one, Nova takes the image that the volume was made of alone, and leaves all that is on it."""


def must_be_possible(link: Link, server: Server) -> None:
    """Raises Rejected where the region's Nova cannot put an image on the volume that a server boots from."""
    if not boots_from_volume(server):
        return
    newest = str((link.ask("compute", "/") or {}).get("version", {}).get("version") or "")
    if _ordered(newest) < _ordered(MICROVERSION):
        detail = (
            f"{server['name']} boots from a volume: to put another image on it takes Nova of Zed or newer (microversion"
            f" {MICROVERSION}), and this region's ends at {newest or 'none'}; have it upgraded, or make a new machine"
        )
        raise Rejected("openstack.no_rebuild", detail)


def _ordered(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
