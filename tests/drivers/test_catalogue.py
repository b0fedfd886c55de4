"""How the catalogue and a hypervisor's storage pool match; and that every driver that tells it keeps the contract."""

from pathlib import Path

import libvirt
import pytest

from provisioners import registry
from provisioners.contract import CatalogueDriver, ImageMatch, OfferedFlavor, OfferedImage, dump_catalogue
from provisioners.contract import load_catalogue as loaded
from provisioners.libvirt_driver import LibvirtDriver
from provisioners.libvirt_volumes import Volumes
from provisioners.libvirt_xml import GIB, volume_xml
from tests.drivers.makers import Lab, simulated_node

DEBIAN = OfferedImage("debian-12", None, 20)


@pytest.fixture
def pool(tmp_path: Path) -> Volumes:
    """The storage pool of a hypervisor that is taken for one that keeps bytes; it has one image, of 30 GiB."""
    del tmp_path
    connection = libvirt.open("test:///default")
    storage = connection.storagePoolLookupByName("default-pool")
    storage.createXML(volume_xml("kylin-v10.qcow2", 30 * GIB, "qcow2"))
    return Volumes(connection, "default-pool", keeps_bytes=True)


def match(pool: Volumes, image: OfferedImage) -> ImageMatch:
    return pool.match(image, pool.names())


def test_an_image_is_the_volume_of_its_name(pool: Volumes) -> None:
    path = "/default-pool/kylin-v10.qcow2"
    assert match(pool, OfferedImage("kylin-v10", None, 30)) == ImageMatch("kylin-v10", path, "kylin-v10.qcow2", "name")


def test_a_volume_that_is_larger_than_the_smallest_disk_says_so(pool: Volumes) -> None:
    found = match(pool, OfferedImage("kylin-v10", None, 29))
    assert (found.trouble, found.amount) == ("too_large", 30)


@pytest.mark.parametrize(
    ("source", "by", "trouble"),
    [
        (None, None, "missing"),
        ("/default-pool/kylin-v10.qcow2", "path", None),
        ("/var/lib/elsewhere.qcow2", "path", "not_seen"),
    ],
)
def test_without_such_a_volume_it_is_the_file_that_it_names(
    pool: Volumes, source: str | None, by: str | None, trouble: str | None
) -> None:
    found = match(pool, OfferedImage("debian-12", source, 20))
    assert (found.by, found.trouble) == (by, trouble)


def test_a_simulated_hypervisor_has_whatever_image_is_asked_of_it(tmp_path: Path) -> None:
    driver = registry.connect("libvirt", simulated_node("hv-01"), tmp_path)
    assert isinstance(driver, LibvirtDriver)
    found = driver.match_catalogue([DEBIAN], [OfferedFlavor("small", 1, 1024, 20)])
    assert [image.trouble for image in found.images] == [None]
    assert found.flavors == ()
    driver.close()


def test_a_match_is_kept_in_a_record_as_it_was(lab: Lab) -> None:
    driver = getattr(lab.driver, "inside", lab.driver)
    if not isinstance(driver, CatalogueDriver):
        pytest.skip("this driver does not tell")
    found = driver.match_catalogue([DEBIAN, OfferedImage("nowhere", "nothing", 1)], [])
    assert [image.code for image in found.images] == ["debian-12", "nowhere"]
    assert loaded(dump_catalogue(found)) == found
