"""How the catalogue and a region match: each image by what an order would find, at a few calls for all of them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from provisioners.contract import (
    MOST_OTHERS,
    CatalogueMatch,
    FlavorMatch,
    ImageMatch,
    OfferedFlavor,
    OfferedImage,
    Unreachable,
)
from provisioners.openstack_driver import OpenStackDriver
from tests.drivers.openstack_double import Double, a_flavor, an_image

IMAGES, FLAVORS = "/image/v2/images", "/compute/v2.1/flavors/detail"
SHA512 = "c0ffee" * 21 + "00"
KNOWN = str(UUID(int=0xD12))
SMALL = OfferedFlavor("small", 1, 1024, 10)


def glance(region: Double, *images: dict[str, Any]) -> None:
    region.answers("GET", IMAGES, body={"images": list(images)})


def offered(code: str = "debian-12", source: str | None = None, min_disk_gib: int = 10) -> OfferedImage:
    return OfferedImage(code, source, min_disk_gib)


def matched(driver: OpenStackDriver, *images: OfferedImage, flavors: Sequence[OfferedFlavor] = ()) -> CatalogueMatch:
    return driver.match_catalogue(images, flavors)


@pytest.mark.parametrize(
    ("image", "by"),
    [
        (offered(source=KNOWN), "id"),
        (offered(source=f"sha512:{SHA512}"), "checksum"),
        (offered(source="Debian bookworm"), "name"),
        (offered("Debian bookworm"), "name"),
        (offered("Debian bookworm", source="another name"), "name"),
    ],
)
def test_an_image_is_matched_by_id_checksum_or_name_of_its_source_else_by_its_code(
    region: Double, driver: OpenStackDriver, image: OfferedImage, by: Any
) -> None:
    glance(region, an_image("Debian bookworm", id=KNOWN, os_hash_value=SHA512), an_image("other"))
    assert matched(driver, image).images == (ImageMatch(image.code, KNOWN, "Debian bookworm", by),)


@pytest.mark.parametrize(
    ("there", "trouble", "amount"),
    [
        ([], "missing", None),
        ([an_image("Debian-12")], "missing", None),
        ([an_image("debian-12", id="a"), an_image("debian-12", id="b")], "several", 2),
        ([an_image("debian-12", status="deactivated")], "not_active", None),
        ([an_image("debian-12", status="queued", os_hash_value=None)], "not_active", None),
        ([an_image("debian-12", min_disk=20)], "too_large", 20),
        ([an_image("debian-12", virtual_size=10 * 1024**3 + 1)], "too_large", 11),
        ([an_image("debian-12", min_ram=2048)], "min_ram", 2048),
    ],
)
def test_an_image_of_which_no_machine_can_be_made_says_why(
    region: Double, driver: OpenStackDriver, there: list[dict[str, Any]], trouble: Any, amount: int | None
) -> None:
    glance(region, *there)
    [found] = matched(driver, offered(), flavors=[SMALL]).images
    assert (found.trouble, found.amount) == (trouble, amount)
    assert (found.id is not None) == (trouble not in {"missing", "several"})


def test_one_active_image_of_a_name_is_taken_whatever_else_is_called_so(
    region: Double, driver: OpenStackDriver
) -> None:
    glance(region, an_image("debian-12", id="old", status="deactivated"), an_image("debian-12", id="new"))
    assert matched(driver, offered()).images == (ImageMatch("debian-12", "new", "debian-12", "name"),)


@pytest.mark.parametrize("size", [{"min_disk": 10, "min_ram": 1024}, {"virtual_size": 10 * 1024**3}])
def test_an_image_that_needs_just_what_is_offered_fits(
    region: Double, driver: OpenStackDriver, size: dict[str, int]
) -> None:
    glance(region, an_image("debian-12", **size))
    assert matched(driver, offered(), flavors=[SMALL]).images[0].trouble is None


def test_without_sizes_that_are_offered_no_memory_is_too_much(region: Double, driver: OpenStackDriver) -> None:
    glance(region, an_image("debian-12", min_ram=2048))
    assert matched(driver, offered()).images[0].trouble is None


def test_an_id_that_is_in_no_list_is_asked_for_among_hidden_images_and_those_of_others(
    region: Double, driver: OpenStackDriver
) -> None:
    region.answers("GET", IMAGES, body={"images": [an_image("debian-12")]}, times=1)
    region.answers("GET", IMAGES, body={"images": []}, times=1)
    region.answers("GET", IMAGES, body={"images": [an_image("secret", id=KNOWN)]}, times=1)
    other = str(UUID(int=7))
    found = matched(
        driver, offered("by-id", KNOWN), offered(), offered("gone", other), offered("not-by-name", "secret")
    )
    assert [(i.id, i.trouble) for i in found.images] == [
        (KNOWN, None),
        ("debian-12-id", None),
        (None, "missing"),
        (None, "missing"),
    ]
    asked = [request.query for request in region.asked("GET", IMAGES)]
    assert asked[0] == {"limit": ["500"]}
    both = {"limit": ["500"], "id": [f"in:{other},{KNOWN}"], "visibility": ["all"]}
    assert asked[1:] == [{**both, "os_hidden": ["false"]}, {**both, "os_hidden": ["true"]}]


def test_a_catalogue_of_hundreds_costs_two_calls(region: Double, driver: OpenStackDriver) -> None:
    glance(region, *(an_image(f"image-{number}") for number in range(300)))
    region.answers("GET", FLAVORS, body={"flavors": [a_flavor("m1", 1, 1024, 10)]})
    images = [offered(f"image-{number}") for number in range(300)]
    found = matched(driver, *images, flavors=[OfferedFlavor(f"size-{n}", n, 1024, 10) for n in range(1, 300)])
    assert not [image for image in found.images if image.trouble]
    assert driver.link.calls == {"image GET": 1, "compute GET": 1}


def test_a_long_list_is_read_to_its_end(region: Double, driver: OpenStackDriver) -> None:
    following = {"images": [an_image("first")], "next": "/v2/images?limit=500&marker=first-id"}
    region.answers("GET", IMAGES, body=following, times=1)
    glance(region, an_image("debian-12"))
    assert matched(driver, offered()).images[0].id == "debian-12-id"
    assert region.asked("GET", IMAGES)[1].query["marker"] == ["first-id"]


def test_a_size_is_a_public_flavor_that_has_nothing_else_or_is_still_to_be_made(
    region: Double, driver: OpenStackDriver
) -> None:
    special = a_flavor("special", 1, 1024, 10, extra_specs={"hw:cpu_policy": "dedicated"})
    region.answers("GET", FLAVORS, body={"flavors": [special, a_flavor("m1", 1, 1024, 10)]})
    found = matched(driver, flavors=[SMALL, OfferedFlavor("large", 8, 1024, 10)]).flavors
    assert found == (FlavorMatch("small", "m1-id", "m1"), FlavorMatch("large"))
    assert not [request for request in region.requests if request.path.startswith("/compute") and request.body]


def test_public_images_that_no_offered_image_stands_for_are_named(region: Double, driver: OpenStackDriver) -> None:
    glance(
        region,
        an_image("debian-12"),
        an_image("rocky-9"),
        an_image("alma-9"),
        an_image("somebodys", visibility="shared"),
        an_image("half", status="queued"),
        an_image("vmlinuz", disk_format="aki"),
        an_image("twice", id="a"),
        an_image("twice", id="b"),
    )
    found = matched(driver, offered(), offered("twice"))
    assert (found.others, found.others_count) == (("alma-9", "rocky-9"), 2)


def test_of_very_many_such_images_the_first_are_named_and_all_are_counted(
    region: Double, driver: OpenStackDriver
) -> None:
    glance(region, *(an_image(f"image-{number:03}") for number in range(MOST_OTHERS + 20)))
    found = matched(driver)
    assert (len(found.others), found.others[-1], found.others_count) == (MOST_OTHERS, "image-099", MOST_OTHERS + 20)


def test_a_region_that_does_not_answer_is_no_region_without_images(region: Double, driver: OpenStackDriver) -> None:
    region.answers("GET", IMAGES, 503, "<html>busy</html>")
    with pytest.raises(Unreachable):
        matched(driver, offered())
