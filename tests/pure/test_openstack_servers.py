"""How a machine is written as a server of Nova and read back, looked at without one."""

import base64
from dataclasses import replace
from email import message_from_bytes
from email.message import Message
from typing import Any
from uuid import UUID

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from provisioners import openstack_servers as servers
from provisioners.cloud_seed import hostname
from provisioners.contract import Machine, MachineSpec, Rejected
from tests.drivers.openstack_double import NOVAS, a_server

OURS = UUID("0190a0b0-c0d0-7000-8000-4fd09a2c11e7")
USER_DATA = ("#!/bin/sh\r\necho 你好\x00\n", "#cloud-config\nusers: [default]\n", "From a stranger\n", "\ud800")
KEY = "ssh-ed25519 AAAA someone@here"
SPEC = MachineSpec(
    id=OURS,
    name="门户-web-1",
    department="dsj",
    system="portal",
    generation=3,
    vcpu=4,
    memory_mib=4096,
    disk_gib=40,
    image="debian-12",
    boots=2,
    builds=1,
)


def labelled(**written: str) -> dict[str, Any]:
    return a_server(SPEC, metadata=servers.metadata(SPEC, **written))


# --- a server read as a machine


def test_a_server_is_read_as_the_machine_that_it_was_made_of() -> None:
    assert servers.machine_of(a_server(SPEC)) == Machine(
        id=OURS,
        name="门户-web-1",
        power="on",
        vcpu=4,
        memory_mib=4096,
        disk_gib=40,
        image="debian-12",
        generation=3,
        boots=2,
        builds=1,
        department="dsj",
        system="portal",
    )


def test_a_strangers_server_has_novas_own_id_and_nobodys_label() -> None:
    stranger = a_server(metadata={"colour": "red"})
    assert servers.label_of(stranger) is None
    assert servers.machine_of(stranger) == Machine(NOVAS, "web", "on", 1, 512, 10, "")


def test_a_server_whose_tenant_wrote_nonsense_where_our_id_goes_is_a_strangers() -> None:
    for nonsense in ("", "web", f"{OURS}0", "../../"):
        assert servers.machine_of(labelled(id=nonsense)) == Machine(NOVAS, "门户-web-1", "on", 4, 4096, 40, "")


@pytest.mark.parametrize("nonsense", ["", "x", "-1", "1.5", "²"])
def test_numbers_that_somebody_spoilt_are_read_as_none(nonsense: str) -> None:
    machine = servers.machine_of(labelled(generation=nonsense, boots=nonsense, builds=nonsense))
    assert (machine.generation, machine.boots, machine.builds) == (0, 0, 0)


def test_an_adoption_is_read_back() -> None:
    assert servers.machine_of(a_server(replace(SPEC, adopted=True))).adopted
    assert not servers.machine_of(a_server(SPEC)).adopted


@pytest.mark.parametrize(
    ("status", "power", "complete", "busy"),
    [
        ("ACTIVE", "on", True, False),
        ("SHUTOFF", "off", True, False),
        ("PAUSED", "off", True, False),
        ("SUSPENDED", "off", True, False),
        ("SHELVED_OFFLOADED", "off", True, False),
        ("RESCUE", "off", True, False),
        ("BUILD", "off", True, True),
        ("REBUILD", "off", True, True),
        ("RESIZE", "off", True, True),
        ("MIGRATING", "off", True, True),
        ("REBOOT", "off", True, True),
        ("HARD_REBOOT", "off", True, True),
        ("VERIFY_RESIZE", "off", False, False),
        ("ERROR", "off", False, False),
        ("UNKNOWN", "off", False, False),
    ],
)
def test_a_status_says_whether_a_machine_runs_is_whole_and_is_worked_on(
    status: str, power: str, complete: bool, busy: bool
) -> None:
    machine = servers.machine_of(a_server(SPEC, status=status))
    assert (machine.power, machine.complete, machine.busy) == (power, complete, busy)


def test_a_server_with_a_task_is_busy_whatever_its_status() -> None:
    assert servers.machine_of(a_server(SPEC, **{"OS-EXT-STS:task_state": "powering-off"})).busy


@pytest.mark.parametrize(
    ("description", "generation"),
    [(None, 0), ("", 0), ("our web server", 0), (f"{servers.TRIED}12", 12), (f"{servers.TRIED}x", 0)],
)
def test_a_description_says_when_a_server_was_last_tried_to_be_brought_back(
    description: str | None, generation: int
) -> None:
    assert servers.tried(a_server(SPEC, description=description)) == generation


# --- a spec written as a server


def body(**changes: Any) -> dict[str, Any]:
    return servers.created(replace(SPEC, **changes), "a-flavor", "an-image", ["port-0", "port-1"])


def test_a_server_is_asked_for_with_all_that_it_will_be_known_by() -> None:
    assert body() == {
        "name": "门户-web-1",
        "hostname": hostname(SPEC),
        "flavorRef": "a-flavor",
        "imageRef": "an-image",
        "networks": [{"port": "port-0"}, {"port": "port-1"}],
        "metadata": {
            "steppe:id": str(OURS),
            "steppe:name": "门户-web-1",
            "steppe:department": "dsj",
            "steppe:system": "portal",
            "steppe:generation": "3",
            "steppe:image": "debian-12",
            "steppe:boots": "2",
            "steppe:builds": "1",
            "steppe:adopted": "no",
        },
        "tags": ["steppe", f"steppe-{OURS}"],
    }


def test_a_machine_without_addresses_gets_no_network_that_nova_would_choose() -> None:
    assert servers.created(SPEC, "a-flavor", "an-image", [])["networks"] == "none"


def test_a_tag_is_short_enough_for_nova() -> None:
    assert len(servers.tag_of(OURS)) <= 60


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("web-1", "web-1"),
        ("门户", "vm-9a2c11e7"),
        ("门户-web-1", "web-1"),
        ("A b;$(c)\n.d", "a-b-c-d"),
        ("x" * 99, "x" * 63),
    ],
)
def test_a_guest_is_called_what_novas_host_names_allow(name: str, expected: str) -> None:
    assert body(name=name)["hostname"] == expected


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_any_name_is_read_back_as_it_was_written(name: str, department: str, system: str) -> None:
    asked = body(name=name, department=department, system=system)
    machine = servers.machine_of(a_server(SPEC, metadata=asked["metadata"]))
    assert (machine.name, machine.department, machine.system) == (name, department, system)


# --- what the guest is told


def told(**changes: Any) -> bytes:
    return base64.b64decode(body(**changes)["user_data"], validate=True)


def parts(said: bytes) -> list[Message]:
    return [part for part in message_from_bytes(said).walk() if not part.is_multipart()]


def test_a_guest_of_whom_nothing_is_asked_is_told_nothing() -> None:
    assert "user_data" not in body()


@pytest.mark.parametrize("user_data", [None, ""])
def test_keys_alone_are_a_cloud_config(user_data: str | None) -> None:
    first, _, rest = told(user_data=user_data, ssh_keys=(KEY, "ssh-rsa BBBB 王芳")).decode().partition("\n")
    assert first == "#cloud-config"
    assert yaml.safe_load(rest) == {"ssh_authorized_keys": [KEY, "ssh-rsa BBBB 王芳"]}


@pytest.mark.parametrize("user_data", USER_DATA)
def test_user_data_alone_is_handed_over_byte_for_byte(user_data: str) -> None:
    assert told(user_data=user_data) == user_data.encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("user_data", USER_DATA)
def test_keys_beside_user_data_are_a_part_that_adds_to_its_lists(user_data: str) -> None:
    asked, ours = parts(told(user_data=user_data, ssh_keys=(KEY,)))
    assert asked.get_payload(decode=True) == user_data.encode("utf-8", "surrogatepass")
    assert asked.get_content_type() == "text/plain", "cloud-init then tells what it is by its first line"
    assert (ours.get_content_type(), ours["Merge-Type"]) == (
        "text/cloud-config",
        "list(append)+dict(recurse_array)+str()",
    )
    assert yaml.safe_load(ours.get_payload(decode=True)) == {"ssh_authorized_keys": [KEY]}


def test_parts_that_the_asker_wrote_stay_parts_beside_the_keys() -> None:
    written = (
        'Content-Type: multipart/mixed; boundary="=="\nMIME-Version: 1.0\n\n'
        "--==\nContent-Type: text/x-shellscript\n\n#!/bin/sh\n--==\nContent-Type: text/cloud-config\n\n{}\n--==--\n"
    )
    kinds = [part.get_content_type() for part in parts(told(user_data=written, ssh_keys=(KEY,)))]
    assert kinds == ["text/x-shellscript", "text/cloud-config", "text/cloud-config"]


def test_user_data_that_nova_would_not_take_is_rejected_with_its_length() -> None:
    fits = servers.MOST_USER_DATA // 4 * 3
    assert len(body(user_data="x" * fits)["user_data"]) <= servers.MOST_USER_DATA
    with pytest.raises(Rejected, match="65536 characters") as refusal:
        body(user_data="x" * (fits + 1))
    assert refusal.value.code == "openstack.user_data_too_long"


# --- what Nova says of a failure


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("No valid host was found. There are not enough hosts available.", "openstack.no_valid_host"),
        ("Exceeded maximum number of retries. Exhausted all hosts", "openstack.build_failed"),
        ("Quota exceeded for cores", "openstack.over_quota"),
        ("Failed to allocate the network(s), not rescheduling.", "openstack.network_failed"),
        ("Image 4f could not be found.", "openstack.no_image"),
        ("Build of instance aborted", "openstack.failed"),
    ],
)
def test_a_fault_has_a_permanent_code_and_novas_own_words(words: str, code: str) -> None:
    fault = servers.fault_of(a_server(SPEC, fault={"code": 500, "message": words}))
    assert (fault.code, fault.detail) == (code, words)


@pytest.mark.parametrize("fault", [{}, {"fault": None}, {"fault": {"code": 500, "message": ""}}])
def test_a_failure_of_which_nova_says_nothing_is_still_a_sentence(fault: dict[str, Any]) -> None:
    assert servers.fault_of(a_server(SPEC, **fault)).detail == "Nova says no more than ERROR"
