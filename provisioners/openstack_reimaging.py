"""Rebuilds of servers whose first disk is a volume: Nova has Cinder put the image on it, which it can do since Zed.

Cinder tells Nova once it is done, by the event `volume-reimaged`. A Nova of Zed that waits for it in vain leaves the
server off and at rest, as if nothing had been, with half an image on the volume.
"""

from provisioners import openstack_volumes as volumes
from provisioners.contract import Rejected
from provisioners.openstack_catalogue import Catalogue
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


def spoilt(link: Link, catalogue: Catalogue, server: Server) -> Rejected | None:
    """Return what is to be said of a server whose volume a rebuild has left that came to nothing."""
    if not boots_from_volume(server):
        return None
    volume = volumes.spoilt(server, volumes.attached(link, catalogue, [server]))
    if volume is None:
        return None
    detail = (
        f"volume {volume.id} that {server['name']} boots from says {volume.status}, as after a rebuild that came to"
        " nothing: see Cinder's log, reset the state of the machine's volumes to in-use, and retry"
    )
    return Rejected("openstack.volume_failed", detail)


def _ordered(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
