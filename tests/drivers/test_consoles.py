"""Consoles that drivers offer without a hypervisor, and which of them a connection to a real one can carry."""

from pathlib import Path

import pytest

from provisioners.contract import ConsoleDriver, ConsoleKind, Rejected
from provisioners.libvirt_consoles import kinds
from provisioners.registry import connect
from tests.drivers.makers import a_machine, simulated_node

SIMULATED = [("fake", {"node": "hv-01"}), ("libvirt", simulated_node("hv-01"))]


def opened(driver: str, connection: dict[str, object], folder: Path) -> ConsoleDriver:
    made = connect(driver, connection, folder)
    assert isinstance(made, ConsoleDriver)
    return made


@pytest.mark.parametrize(("driver", "connection"), SIMULATED)
def test_a_simulated_machine_has_a_text_console_that_says_so(
    driver: str, connection: dict[str, object], tmp_path: Path
) -> None:
    pool = opened(driver, connection, tmp_path)
    assert pool.consoles() == ("text",)
    machine = a_machine(name="门户")
    line = pool.open_console(machine, "text")
    assert line.simulated
    with line.socket as console:
        console.settimeout(10)
        greeting = b""
        while "门户# ".encode() not in greeting:
            greeting += console.recv(4096)
        assert b"Simulated console" in greeting
        assert ", ".join(f"{nic.address}/{nic.prefix}" for nic in machine.nics).encode() in greeting
        console.sendall(b"ab\x7f")
        assert console.recv(4096) == b"ab\b \b"


@pytest.mark.parametrize(("driver", "connection"), SIMULATED)
def test_a_simulated_machine_has_no_screen(driver: str, connection: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="screen"):
        opened(driver, connection, tmp_path).open_console(a_machine(), "screen")


def test_a_simulated_console_is_to_be_had_while_another_process_has_the_node(tmp_path: Path) -> None:
    worker, proxy = (connect("libvirt", simulated_node("hv-01"), tmp_path) for _ in range(2))
    worker.create(a_machine())
    assert isinstance(proxy, ConsoleDriver)
    with proxy.open_console(a_machine(), "text").socket as console:
        console.settimeout(10)
        assert console.recv(16)
    worker.close()


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("qemu:///system", ("screen", "text")),
        ("qemu+unix:///system?socket=/run/libvirt/libvirt-sock", ("screen", "text")),
        ("qemu+ssh://root@hv-01/system", ("text",)),
        ("qemu+tls://hv-01/system", ("text",)),
        ("qemu://hv-01/system", ("text",)),
    ],
)
def test_a_screen_is_offered_where_libvirt_can_hand_over_open_files(
    uri: str, expected: tuple[ConsoleKind, ...]
) -> None:
    assert kinds(uri) == expected
