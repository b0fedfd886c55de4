"""The address of the web server: whether it can be had at all, and whether somebody answers there already.

A port that is taken is the commonest reason why a first start fails, and must not be found out by a web page that
belongs to somebody else.
"""

import socket
import time
from collections.abc import Callable
from contextlib import suppress

import click

_LOOK = 0.1
_PATIENCE = 60.0


def refuse_taken(listen: str) -> None:
    """Raise ClickException where nobody can listen on `listen`."""
    try:
        address, family = _address(listen)
        socket.create_server(address, family=family).close()
    except (OSError, OverflowError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise click.ClickException(f"cannot listen on {listen}: {reason}. Set STEPPE_LISTEN to another.") from error


def until_served(listen: str, check: Callable[[], None]) -> None:
    """Return once connections are taken on `listen`. `check` raises where that cannot come any more.

    Raises ClickException where it takes longer than any start should.
    """
    address, _ = _address(listen)
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        check()
        with suppress(OSError):
            socket.create_connection(address, timeout=1).close()
            return
        time.sleep(_LOOK)
    raise click.ClickException(f"nobody answers on {listen} after {_PATIENCE:.0f} s")


def _address(listen: str) -> tuple[tuple[str, int], socket.AddressFamily]:
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    return (host, int(port)), socket.AF_INET6 if ":" in host else socket.AF_INET
