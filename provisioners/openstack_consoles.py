"""Screens of servers: Nova gives a one-time way in to its own proxy, and the bytes go through a WebSocket to it.

Steppe's console proxy opens it, never a browser: whoever watches needs no way to the cloud, and nobody sees the token
that lets in.
"""

import socket
import threading
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit, urlunsplit

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from provisioners.contract import ConsoleLine, Rejected, Unreachable
from provisioners.openstack_link import Conflict, Link
from provisioners.openstack_servers import Server

_PIECE = 16 * 1024
_OPEN_SECONDS = 20.0
_VNC = {"remote_console": {"protocol": "vnc", "type": "novnc"}}


def open_line(link: Link, server: Server) -> ConsoleLine:
    """Open the screen of a server that runs. Raises Rejected where the cloud offers none, Unreachable."""
    try:
        answer = link.tell("compute", "POST", f"/servers/{server['id']}/remote-consoles", _VNC)
    except Conflict as conflict:
        raise Rejected("openstack.off", f"{server['name']} has no screen now: {conflict}") from conflict
    except Rejected as refusal:
        raise Rejected("openstack.no_console", f"this region offers no screen: {refusal.detail}") from refusal
    if answer is None:
        raise Rejected("openstack.no_console", "this region offers no screen")
    try:
        line = connect(
            proxy_address(answer["remote_console"]["url"]),
            subprotocols=["binary"],  # type: ignore[list-item]
            open_timeout=_OPEN_SECONDS,
            max_size=None,
            compression=None,
            proxy=None,
        )
    except (OSError, TimeoutError, WebSocketException) as error:
        raise Unreachable(f"Nova's console proxy: {type(error).__name__}: {error}") from error
    return ConsoleLine(_carried(line))


def proxy_address(page: str) -> str:
    """Return the WebSocket behind the page of noVNC that Nova names: its `path` says where on the same host.

    Source: nova/console/websocketproxy.py reads the token from the query of the WebSocket or, older, of its path.
    """
    parts = urlsplit(page)
    [path] = parse_qs(parts.query).get("path", ["?" + parts.query])
    where, _, query = path.partition("?")
    scheme = "wss" if parts.scheme == "https" else "ws"
    return urlunsplit((scheme, parts.netloc, f"/{where.lstrip('/')}", query, ""))


def _carried(line: ClientConnection) -> socket.socket:
    ours, theirs = socket.socketpair()
    for pump in (_from_guest, _to_guest):
        threading.Thread(target=pump, args=(line, ours), name=f"screen{pump.__name__}", daemon=True).start()
    return theirs


def _from_guest(line: ClientConnection, ours: socket.socket) -> None:
    try:
        for piece in line:
            ours.sendall(piece if isinstance(piece, bytes) else piece.encode())
    except (WebSocketException, OSError):
        pass
    finally:
        with suppress(OSError):
            ours.shutdown(socket.SHUT_RDWR)


def _to_guest(line: ClientConnection, ours: socket.socket) -> None:
    try:
        while piece := ours.recv(_PIECE):
            line.send(piece)
    except (WebSocketException, OSError):
        pass
    finally:
        line.close()
        ours.close()
