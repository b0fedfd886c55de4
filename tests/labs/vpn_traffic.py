"""Bytes through a tunnel: `serve ADDRESS` answers in a department's network, `carry ADDRESS UP DOWN` asks it.

Both are processes of a namespace. Who carries says how many bytes it will send and wants back; it ends with 0 once it
has sent and got them all.
"""

import socket
import struct
import sys

PORT = 8000
_HEAD = struct.Struct("!QQ")
_PIECE = bytes(64 * 1024)


def _read(connection: socket.socket, count: int) -> bytes:
    last = b""
    while count:
        last = connection.recv(min(count, len(_PIECE)))
        if not last:
            raise ConnectionError("it ended early")
        count -= len(last)
    return last


def _write(connection: socket.socket, count: int) -> None:
    while count:
        count -= connection.send(_PIECE[:count])


def serve(address: str) -> None:
    """Answer whoever comes, one after the other, until killed."""
    with socket.create_server((address, PORT)) as listening:
        while True:
            connection, _ = listening.accept()
            with connection:
                up, down = _HEAD.unpack(_read(connection, _HEAD.size))
                _read(connection, up)
                _write(connection, down)


def carry(address: str, up: int, down: int) -> None:
    """Send `up` bytes and get `down` back. Raises OSError where nobody answers within two seconds."""
    with socket.create_connection((address, PORT), timeout=2) as connection:
        connection.settimeout(60)
        connection.sendall(_HEAD.pack(up, down))
        _write(connection, up)
        _read(connection, down)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    carry(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
