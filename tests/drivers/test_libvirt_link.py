"""What libvirt's silence and its errors become."""

import socket
from pathlib import Path
from threading import Thread

import libvirt
import pytest

from provisioners.contract import Missing, Rejected, Unreachable
from provisioners.libvirt_link import Link, translate
from provisioners.registry import connect
from tests.drivers.makers import a_machine


def an_error(code: int, domain: int = libvirt.VIR_FROM_QEMU) -> libvirt.libvirtError:
    error = libvirt.libvirtError("made for a test")
    error.err = (code, domain, "libvirt's own words", 2, None, None, None, -1, -1)
    return error


@pytest.mark.parametrize(
    ("code", "domain", "kind"),
    [
        (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_FROM_QEMU, Missing),
        (libvirt.VIR_ERR_SYSTEM_ERROR, libvirt.VIR_FROM_RPC, Unreachable),
        (libvirt.VIR_ERR_INTERNAL_ERROR, libvirt.VIR_FROM_RPC, Unreachable),
        (libvirt.VIR_ERR_AUTH_FAILED, libvirt.VIR_FROM_NONE, Unreachable),
        (libvirt.VIR_ERR_OPERATION_TIMEOUT, libvirt.VIR_FROM_QEMU, Unreachable),
        (libvirt.VIR_ERR_RESOURCE_BUSY, libvirt.VIR_FROM_QEMU, Unreachable),
        (libvirt.VIR_ERR_SYSTEM_ERROR, libvirt.VIR_FROM_STORAGE, Rejected),
        (libvirt.VIR_ERR_INTERNAL_ERROR, libvirt.VIR_FROM_QEMU, Rejected),
    ],
)
def test_an_error_becomes_one_of_the_three(code: int, domain: int, kind: type[Exception]) -> None:
    assert type(translate(an_error(code, domain))) is kind


@pytest.mark.parametrize(
    ("code", "ours"),
    [
        (libvirt.VIR_ERR_NO_STORAGE_POOL, "libvirt.no_storage_pool"),
        (libvirt.VIR_ERR_NO_NETWORK, "libvirt.no_network"),
        (libvirt.VIR_ERR_XML_ERROR, "libvirt.bad_definition"),
        (libvirt.VIR_ERR_INTERNAL_ERROR, "libvirt.refused"),
    ],
)
def test_a_refusal_has_a_permanent_code_and_libvirts_own_words(code: int, ours: str) -> None:
    refusal = translate(an_error(code))
    assert isinstance(refusal, Rejected)
    assert (refusal.code, refusal.detail) == (ours, "libvirt's own words")


def test_a_daemon_that_is_not_there_is_unreachable_and_nothing_is_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    driver = connect("libvirt", {"uri": f"qemu+unix:///system?socket={tmp_path}/none"}, tmp_path)
    for order in (driver.create, driver.start, driver.rebuild):
        with pytest.raises(Unreachable):
            order(a_machine())
    with pytest.raises(Unreachable):
        driver.discover()
    driver.close()
    assert capfd.readouterr() == ("", "")


def test_a_daemon_that_hangs_up_is_unreachable(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{tmp_path}/libvirt-sock")
    listener.listen()

    def hang_up() -> None:
        listener.accept()[0].close()

    answering = Thread(target=hang_up)
    answering.start()
    driver = connect("libvirt", {"uri": f"qemu+unix:///system?socket={tmp_path}/libvirt-sock"}, tmp_path)
    with pytest.raises(Unreachable):
        driver.discover()
    answering.join()
    listener.close()


def test_a_daemon_that_says_nothing_is_unreachable_and_used_once_it_speaks(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{tmp_path}/libvirt-sock")
    listener.listen()
    silent = [True]
    addresses: list[str] = []

    def address() -> str:
        uri = f"qemu+unix:///system?socket={tmp_path}/libvirt-sock" if silent[0] else "test:///default"
        addresses.append(uri)
        return uri

    link = Link(address, open_seconds=0.2)
    for _ in range(3):
        with pytest.raises(Unreachable, match="says nothing"), link.calls():
            pass
    assert len(addresses) == 1, "it waits on with one thread, not with one more at each try"
    silent[0] = False
    listener.accept()[0].close()
    with pytest.raises(Unreachable), link.calls():
        pass
    with link.calls() as connection:
        assert connection.getHostname()
    link.close()
    listener.close()


def test_a_lost_connection_is_opened_again_by_the_next_call() -> None:
    link = Link(lambda: "test:///default")
    with link.calls() as first:
        first.getHostname()
    with pytest.raises(Unreachable), link.calls():
        raise an_error(libvirt.VIR_ERR_SYSTEM_ERROR, libvirt.VIR_FROM_RPC)
    with link.calls() as second:
        assert second.getHostname()
    assert second is not first
    link.close()


def test_a_refusal_keeps_the_connection() -> None:
    link = Link(lambda: "test:///default")
    with link.calls() as first:
        first.getHostname()
    with pytest.raises(Missing), link.calls() as connection:
        connection.lookupByName("nobody")
    with link.calls() as second:
        assert second is first
    link.close()


@pytest.mark.parametrize(
    "connection",
    [
        {},
        {"uri": "test:///hv-01", "colour": "red"},
        {"uri": "test:///hv-01", "node": {"cpus": 0}},
        {"uri": "qemu:///system", "virt_type": "vmware"},
        {"uri": "test:///../../etc"},
        {"uri": "test:///"},
        {"uri": "test:///hv-01", "storage_pool": "../fast"},
        {"uri": "test:///hv-01", "network": "\x02"},
    ],
)
def test_a_connection_that_makes_no_sense_is_rejected(connection: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(Rejected) as refusal:
        connect("libvirt", connection, tmp_path)
    assert refusal.value.code == "libvirt.bad_connection"
