"""What a hypervisor and a new guest are told, looked at without either."""

from dataclasses import replace
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from pycdlib import PyCdlib

from provisioners import libvirt_xml as xml
from provisioners.cloud_seed import seed_files, seed_iso
from provisioners.contract import Machine, MachineSpec, Nic, Rejected

V4 = Nic("52:54:00:aa:00:01", "gov", "10.20.0.5", 24, "10.20.0.1", ("10.20.0.53", "10.20.0.54"))
V6 = Nic("52:54:00:aa:00:01", "gov", "fd20::5", 64, "fd20::1", ("fd20::53", "10.20.0.53"))
OTHER = Nic("52:54:00:aa:00:02", "backup", "10.99.0.5", 16)
AROUND = xml.Surroundings("kvm", "/pool/disk", "/pool/seed")
HOSTILE = "</domain><domain type='kvm'>\"'&lt;]]>"


def a_spec(**changes: Any) -> MachineSpec:
    spec = MachineSpec(
        id=UUID("0190a0b0-c0d0-7000-8000-4fd09a2c11e7"),
        name="portal",
        department="dsj",
        system="web",
        generation=3,
        vcpu=4,
        memory_mib=4096,
        disk_gib=40,
        image="debian-12",
        nics=(V4, V6, OTHER),
    )
    return replace(spec, **changes)


def built(spec: MachineSpec, around: xml.Surroundings = AROUND) -> Any:
    return etree.fromstring(xml.domain_xml(spec, around))


# --- the domain


def test_a_domain_has_the_machines_id_size_and_volumes() -> None:
    domain = built(a_spec())
    assert domain.get("type") == "kvm"
    assert domain.findtext("uuid") == "0190a0b0-c0d0-7000-8000-4fd09a2c11e7"
    assert (domain.findtext("vcpu"), domain.findtext("memory"), domain.find("memory").get("unit")) == (
        "4",
        "4096",
        "MiB",
    )
    assert domain.xpath("devices/disk/source/@file") == ["/pool/disk", "/pool/seed"]
    assert domain.xpath("devices/disk[@device='cdrom']/readonly")


def test_data_disks_follow_the_disk_on_its_bus() -> None:
    spec = a_spec(data_disks=(10, 30))
    text = xml.domain_xml(spec, replace(AROUND, data=("/pool/data1", "/pool/data2")))
    domain = etree.fromstring(text)
    assert domain.xpath("devices/disk/source/@file") == ["/pool/disk", "/pool/data1", "/pool/data2", "/pool/seed"]
    assert domain.xpath("devices/disk/target/@dev") == ["vda", "vdb", "vdc", "sda"]
    assert xml.noted_data_disks(text) == (10, 30)


def test_addresses_of_one_card_make_one_interface() -> None:
    domain = built(a_spec())
    assert domain.xpath("devices/interface/mac/@address") == ["52:54:00:aa:00:01", "52:54:00:aa:00:02"]
    assert domain.xpath("devices/interface/source/@network") == ["gov", "backup"]


def test_a_pool_with_one_network_puts_every_address_there() -> None:
    domain = built(a_spec(), replace(AROUND, network="default"))
    assert domain.xpath("devices/interface/source/@network") == ["default", "default"]


@pytest.mark.parametrize(("domain_type", "modes"), [("kvm", ["host-model"]), ("qemu", []), ("test", [])])
def test_only_a_guest_of_a_real_processor_is_shown_it(domain_type: str, modes: list[str]) -> None:
    assert built(a_spec(), replace(AROUND, domain_type=domain_type)).xpath("cpu/@mode") == modes


def test_the_screen_of_a_machine_listens_nowhere() -> None:
    domain = built(a_spec())
    assert domain.xpath("devices/serial/@type") == ["pty"]
    assert domain.xpath("devices/graphics/listen/@type") == ["none"]


def test_the_seed_is_where_a_kernel_made_for_clouds_finds_it() -> None:
    domain = built(a_spec())
    assert domain.xpath("devices/disk[@device='cdrom']/target/@bus") == ["scsi"]
    assert domain.xpath("devices/controller[@type='scsi']/@model") == ["virtio-scsi"]


@pytest.mark.parametrize("field", ["name", "department", "system", "image"])
def test_hostile_text_stays_text(field: str) -> None:
    spec = a_spec(**{field: HOSTILE})
    domain = built(spec)
    assert domain.tag == "domain"
    assert len(domain.findall("devices")) == 1
    assert getattr(xml.machine(xml.domain_xml(spec, AROUND), "on", True), field) == HOSTILE


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), max_size=200))
def test_any_printable_name_comes_back_as_it_was(name: str) -> None:
    spec = a_spec(name=name)
    text = xml.domain_xml(spec, AROUND)
    found = xml.machine(text, "on", True)
    assert found.name == (name or xml.domain_name(spec))
    assert "/" not in etree.fromstring(text).findtext("name")


@pytest.mark.parametrize("field", ["name", "department", "system", "image"])
def test_text_that_xml_cannot_hold_is_rejected(field: str) -> None:
    spec = a_spec(**{field: "a\x07b"})
    for write in (xml.label_xml, lambda spec: xml.domain_xml(spec, AROUND)):
        with pytest.raises(Rejected) as refusal:
            write(spec)
        assert refusal.value.code == "libvirt.bad_text"


def test_a_domain_name_can_be_recognized_and_is_short_enough_for_a_file() -> None:
    assert xml.domain_name(a_spec()) == "portal-9a2c11e7"
    assert xml.domain_name(a_spec(name="门户/a b\n")) == "门户-a-b--9a2c11e7"
    assert len(xml.domain_name(a_spec(name="云" * 500)).encode()) < 200


# --- back from the domain


def test_what_was_written_is_read() -> None:
    spec = a_spec(boots=2, builds=1)
    assert xml.machine(xml.domain_xml(spec, AROUND).replace("MiB", "KiB"), "off", False) == Machine(
        id=spec.id,
        name="portal",
        power="off",
        vcpu=4,
        memory_mib=4,
        disk_gib=40,
        image="debian-12",
        generation=3,
        boots=2,
        builds=1,
        department="dsj",
        system="web",
        complete=False,
    )


def test_a_strangers_domain_is_whole_and_goes_by_its_own_name() -> None:
    text = f"<domain><name>db</name><uuid>{UUID(int=7)}</uuid><memory>1048576</memory><vcpu>2</vcpu></domain>"
    assert xml.machine(text, "on", False) == Machine(UUID(int=7), "db", "on", 2, 1024, 0, "")


def test_resizing_leaves_what_libvirt_and_people_added() -> None:
    text = """<domain><name>x</name><metadata><other xmlns="urn:o"/></metadata><memory unit="KiB">1024</memory>
      <currentMemory unit="KiB">1024</currentMemory><vcpu placement="static">1</vcpu>
      <devices><disk><address type="pci" slot="0x07"/></disk></devices></domain>"""
    for spec in (a_spec(vcpu=6), a_spec(vcpu=8, generation=9)):
        text = xml.resized_xml(text, spec)
    domain = etree.fromstring(text)
    assert domain.xpath("devices/disk/address/@slot") == ["0x07"]
    assert (domain.findtext("vcpu"), domain.find("vcpu").get("placement")) == ("8", "static")
    assert domain.xpath("concat(memory, memory/@unit, currentMemory, currentMemory/@unit)") == "4096MiB4096MiB"
    assert [etree.QName(e).localname for e in domain.find("metadata")] == ["other", "machine"]
    assert domain.find("metadata")[1].get("generation") == "9"


def test_a_data_disk_that_is_added_passes_by_a_device_that_is_taken() -> None:
    text = """<domain><devices><disk><source file="/pool/data1"/><target dev="vdb"/></disk>
      <disk><source file="/by-hand"/><target dev="vdc"/></disk></devices></domain>"""
    domain = etree.fromstring(xml.resized_xml(text, a_spec(), ["/pool/data1", "/pool/data2", "/pool/data3"]))
    files, devices = domain.xpath("devices/disk/source/@file"), domain.xpath("devices/disk/target/@dev")
    assert dict(zip(files, devices, strict=True)) == {
        "/pool/data1": "vdb",
        "/by-hand": "vdc",
        "/pool/data2": "vdd",
        "/pool/data3": "vde",
    }


# --- volumes


def test_a_disk_lies_upon_its_image() -> None:
    text = xml.volume_xml("a&b", 40 * xml.GIB, "qcow2", "/pool/<image>")
    volume = etree.fromstring(text)
    assert (volume.findtext("name"), volume.findtext("capacity")) == ("a&b", "42949672960")
    assert xml.backing_path(text) == "/pool/<image>"
    assert xml.backing_path(xml.volume_xml("seed", 1, "raw")) is None


def test_a_volume_tells_whose_it_is() -> None:
    machine = a_spec().id
    assert xml.volume_owner(xml.disk_volume(machine)) == machine
    assert xml.volume_owner(xml.seed_volume(machine)) == machine
    assert xml.volume_owner(xml.probe_volume(machine)) == machine
    assert xml.volume_owner(xml.data_volume(machine, 8)) == machine
    for foreign in ("debian-12.qcow2", f"steppe-{machine}.qcow2", f"x{xml.disk_volume(machine)}", "steppe--disk.qcow2"):
        assert xml.volume_owner(foreign) is None


# --- the seed


def test_the_network_is_static_on_both_families() -> None:
    assert yaml.safe_load(seed_files(a_spec())["network-config"]) == {
        "version": 2,
        "ethernets": {
            "eth0": {
                "match": {"macaddress": "52:54:00:aa:00:01"},
                "set-name": "eth0",
                "dhcp4": False,
                "dhcp6": False,
                "addresses": ["10.20.0.5/24", "fd20::5/64"],
                "routes": [{"to": "0.0.0.0/0", "via": "10.20.0.1"}, {"to": "::/0", "via": "fd20::1"}],
                "nameservers": {"addresses": ["10.20.0.53", "10.20.0.54", "fd20::53"]},
            },
            "eth1": {
                "match": {"macaddress": "52:54:00:aa:00:02"},
                "set-name": "eth1",
                "dhcp4": False,
                "dhcp6": False,
                "addresses": ["10.99.0.5/16"],
            },
        },
    }


def test_a_mac_of_digits_alone_is_not_read_as_a_number() -> None:
    nic = replace(V4, mac="52:54:00:11:22:33")
    network = yaml.safe_load(seed_files(a_spec(nics=(nic,)))["network-config"])
    assert network["ethernets"]["eth0"]["match"]["macaddress"] == "52:54:00:11:22:33"


def test_a_machine_without_addresses_is_told_nothing_of_networks() -> None:
    assert seed_files(a_spec(nics=())).keys() == {"meta-data", "user-data"}


@pytest.mark.parametrize(
    "user_data", [HOSTILE, "#!/bin/sh\necho '键' \"$x\"\r\n", "", "a\x00b: [", "#cloud-config\nx: 1"]
)
def test_user_data_is_handed_over_byte_for_byte_beside_the_keys(user_data: str) -> None:
    keys = ("ssh-ed25519 AAAA o'neil@host: x", 'ssh-rsa BBBB "云"')
    files = seed_files(a_spec(user_data=user_data, ssh_keys=keys))
    assert files["user-data"] == user_data.encode()
    assert yaml.safe_load(files["meta-data"])["public-keys"] == list(keys)


@pytest.mark.parametrize(
    ("name", "hostname"),
    [
        ("portal", "portal"),
        ("Portal 01_a", "portal-01-a"),
        ("门户", "vm-9a2c11e7"),
        ("a" * 80, "a" * 63),
        ("-", "vm-9a2c11e7"),
    ],
)
def test_a_host_name_is_one_that_hosts_accept(name: str, hostname: str) -> None:
    meta = yaml.safe_load(seed_files(a_spec(name=name))["meta-data"])
    assert (meta["local-hostname"], meta["instance-id"]) == (hostname, str(a_spec().id))


def test_the_seed_is_a_cidata_image_of_its_files() -> None:
    spec = a_spec(user_data=HOSTILE * 500)
    image = seed_iso(spec)
    iso = PyCdlib()
    iso.open_fp(BytesIO(image))
    assert iso.pvd.volume_identifier.strip() == b"cidata"
    read = {}
    for name in seed_files(spec):
        for kind in ("joliet_path", "rr_path"):
            content = BytesIO()
            iso.get_file_from_iso_fp(content, **{kind: f"/{name}"})
            read[name, kind] = content.getvalue()
    iso.close()
    assert read == {(n, k): c for n, c in seed_files(spec).items() for k in ("joliet_path", "rr_path")}
