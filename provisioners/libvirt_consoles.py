"""Consoles of machines on a real hypervisor, as open sockets.

Neither a port nor a path is involved that anybody else could open: libvirt hands over the screen as an open file, which
only a connection on the same host can carry, and the serial line as a stream inside its own connection.
"""

import os
import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit

import libvirt

from provisioners.contract import ConsoleKind, ConsoleLine, Rejected

_PIECE = 16 * 1024
_LOCAL = frozenset({"", "unix"})


def kinds(uri: str) -> tuple[ConsoleKind, ...]:
    """Return the consoles that can be had over a connection to `uri`."""
    parts = urlsplit(uri)
    transport = parts.scheme.partition("+")[2]
    local = transport in _LOCAL and not parts.hostname
    return ("screen", "text") if local else ("text",)


def open_line(connection: libvirt.virConnect, domain: libvirt.virDomain, kind: ConsoleKind) -> ConsoleLine:
    """Open a console of a running domain. Raises Rejected, libvirtError."""
    if not domain.isActive():
        raise Rejected("libvirt.off", f"{domain.name()} is off; a machine that is off has no console")
    return ConsoleLine(_screen(domain) if kind == "screen" else _text(connection, domain))


def _screen(domain: libvirt.virDomain) -> socket.socket:
    handle = domain.openGraphicsFD(0, libvirt.VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH)
    try:
        return socket.socket(fileno=handle)
    except OSError:
        os.close(handle)
        raise


def _text(connection: libvirt.virConnect, domain: libvirt.virDomain) -> socket.socket:
    stream = connection.newStream()
    # Two that type into one terminal would read each other's passwords: the second is refused.
    domain.openConsole(None, stream, libvirt.VIR_DOMAIN_CONSOLE_SAFE)
    ours, theirs = socket.socketpair()
    end = threading.Lock()
    for pump in (_from_guest, _to_guest):
        threading.Thread(target=pump, args=(stream, ours, end), name=f"console{pump.__name__}", daemon=True).start()
    return theirs


def _from_guest(stream: libvirt.virStream, ours: socket.socket, end: threading.Lock) -> None:
    try:
        while piece := stream.recv(_PIECE):
            ours.sendall(piece)
    except (libvirt.libvirtError, OSError):
        pass
    finally:
        _close(stream, ours, end)


def _to_guest(stream: libvirt.virStream, ours: socket.socket, end: threading.Lock) -> None:
    try:
        while piece := ours.recv(_PIECE):
            while piece:
                piece = piece[stream.send(piece) :]
    except (libvirt.libvirtError, OSError):
        pass
    finally:
        _close(stream, ours, end)


def _close(stream: libvirt.virStream, ours: socket.socket, end: threading.Lock) -> None:
    """Whichever way ends first ends both; a stream must be ended just once."""
    if not end.acquire(blocking=False):
        return
    with suppress(libvirt.libvirtError):
        stream.abort()
    with suppress(OSError):
        ours.shutdown(socket.SHUT_RDWR)
    ours.close()
