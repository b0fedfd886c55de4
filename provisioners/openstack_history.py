"""What was done to a server, as Nova itself lists it: the one witness of an order that outlives whoever gave it.

Nova lists an action before it answers the order, by the id of the request, the newest first.
"""

from itertools import takewhile

from provisioners import openstack_servers as servers
from provisioners.contract import Rejected
from provisioners.openstack_link import Document, Link
from provisioners.openstack_servers import Server

_LOOKED_BACK = 100


def last(link: Link, server: Server) -> str:
    """Return the request that the last thing done to a server came with; empty where nothing was done."""
    return next((str(action["request_id"]) for action in _listed(link, server, 1)), "")


def was_done(link: Link, server: Server, action: str, since: str) -> bool:
    """Tell whether an action was done after the request `since`, and did not fail."""
    newer = takewhile(lambda one: one["request_id"] != since, _listed(link, server, _LOOKED_BACK))
    return any(one["action"] == action and not one.get("message") for one in newer)


def failure(link: Link, server: Server, action: str) -> Rejected | None:
    """Return how the last thing that was done to a server failed, where it was this action and did."""
    done = _listed(link, server, 1)
    if not done or done[0]["action"] != action or not done[0].get("message"):
        return None
    failed = [event for event in _events(link, server, done[0]) if event.get("result") == "Error"]
    words = next((event["details"] for event in failed if event.get("details")), done[0]["message"])
    return servers.fault_by(str(words))


def is_unfinished(link: Link, server: Server, action: str) -> bool:
    """Tell whether the last thing that was done to a server was this action, and its host never said that it was done.
    Of a host that gave up waiting for somebody else Nova lists neither success nor failure."""
    done = _listed(link, server, 1)
    if not done or done[0]["action"] != action:
        return False
    of_host = [event for event in _events(link, server, done[0]) if event["event"].startswith("compute_")]
    return not any(event.get("result") == "Success" for event in of_host)


def _events(link: Link, server: Server, action: Document) -> list[Document]:
    whole = (link.ask("compute", f"{_path(server)}/{action['request_id']}") or {}).get("instanceAction", {})
    return list(whole.get("events", ()))


def _listed(link: Link, server: Server, limit: int) -> list[Document]:
    return list((link.ask("compute", _path(server), limit=limit) or {}).get("instanceActions", ()))


def _path(server: Server) -> str:
    return f"/servers/{server['id']}/os-instance-actions"
