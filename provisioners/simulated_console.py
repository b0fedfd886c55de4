"""The text console of a machine that is only simulated.

There is no guest to talk to. What answers says so, tells what the machine would be, and repeats what is typed: enough
to try the whole way from a browser to a hypervisor and back. It needs the order alone, so any process can do it.
"""

import socket
import threading
from contextlib import suppress

from provisioners.contract import ConsoleLine, MachineSpec

_PIECE = 4096


def simulated_line(spec: MachineSpec) -> ConsoleLine:
    """Return a console that greets, echoes, and ends when its taker closes it."""
    ours, theirs = socket.socketpair()
    threading.Thread(target=_talk, args=(ours, spec), name="simulated-console", daemon=True).start()
    return ConsoleLine(theirs, simulated=True)


def _talk(line: socket.socket, spec: MachineSpec) -> None:
    prompt = f"{spec.name}# "
    with line, suppress(OSError):
        line.sendall(_greeting(spec).encode() + prompt.encode())
        while piece := line.recv(_PIECE):
            line.sendall(piece.replace(b"\x7f", b"\b \b").replace(b"\r", f"\r\n{prompt}".encode()))


def _greeting(spec: MachineSpec) -> str:
    addresses = ", ".join(f"{nic.address}/{nic.prefix}" for nic in spec.nics) or "none"
    lines = (
        "*** Simulated console: there is no real machine behind it. ***",
        "",
        f"name     {spec.name}",
        f"id       {spec.id}",
        f"address  {addresses}",
        f"size     {spec.vcpu} vCPU, {spec.memory_mib} MiB memory, {spec.disk_gib} GiB disk",
        f"image    {spec.image}",
        f"power    {spec.power}",
        "",
        "What you type is repeated.",
        "",
    )
    return "".join(f"{line}\r\n" for line in lines)
