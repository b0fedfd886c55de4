"""The report of how the catalogue and the region match, held against a Glance that holds one of each case."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from provisioners.contract import OfferedFlavor, OfferedImage
from provisioners.openstack_driver import connect as driver_of
from tests.chaos.oracle import drift
from tests.chaos.steppe import Steppe
from tests.labs.openstack_catalogue import FIRST_ADMIN, connect
from tests.labs.openstack_content import IMAGES
from tests.labs.openstack_look import cloud
from tests.labs.openstack_steppe import POOL, an_ask, beside, connection, gone, settled
from tests.labs.openstack_story import Lab

_CONTENT = b"what an image of this story is made of"
_SIZE = {"vcpu": 1, "memory_mib": 160, "disk_gib": 1}
"""No other story asks for it."""
_SHA512 = hashlib.sha512(_CONTENT).hexdigest()


def the_catalogue_is_matched(lab: Lab) -> None:
    """Images by id, checksum and name, one that is missing, two of one name; and what becomes of a VM of each."""
    seen = cloud()
    with _in_glance() as there, beside(lab) as steppe:
        _offer(steppe, there)
        drift(steppe)
        with lab.report.check("each image of the catalogue is told by what it was known, or why it was not"):
            found = _report(steppe)
            assert {image["code"]: _said(image) for image in found["images"]} == {
                IMAGES[0]: ("name", None, None),
                IMAGES[1]: ("name", None, None),
                "by-id": ("id", None, None),
                "by-hidden-id": ("id", None, None),
                "by-checksum": ("checksum", None, None),
                "by-name": ("name", None, None),
                "by-other-case": (None, "missing", None),
                "gone-id": (None, "missing", None),
                "not-there": (None, "missing", None),
                "two": ("name", "several", 2),
                "off": ("name", "not_active", None),
                "large": ("name", "too_large", 40),
            }
            ids = {image["code"]: image["found"] for image in found["images"]}
            assert (ids["by-id"], ids["by-hidden-id"]) == (there["id"].id, there["hidden"].id)
            assert (ids["by-checksum"], ids["by-name"]) == (there["checksum"].id, there["name"].id)
            assert found["unusable"] == 6
        with lab.report.check("public images that no offered image stands for are named, kernels and private ones not"):
            assert "spare" in found["others"]["names"], found["others"]
            assert not {"vmlinuz", "initrd.gz", "private", "two", *IMAGES} & set(found["others"]["names"])
        with lab.report.check("a VM is made of the images that it says are there, and the others fault as it says"):
            made = [_asked(steppe, code) for code in ("by-id", "by-hidden-id", "by-checksum", "by-name")]
            for vm, code in zip(made, ("id", "hidden", "checksum", "name"), strict=True):
                server = seen.one(settled(steppe, vm))
                assert server.image.id == there[code].id
            for code, fault in _FAULTS.items():
                vm = _asked(steppe, code)
                assert settled(steppe, vm, "faulted")["fault"]["code"] == fault
                made.append(vm)
        with lab.report.check("a size is to be made before its first VM, and is told with its flavor after it"):
            assert found["flavors"][0]["found"] is None
            drift(steppe)
            assert _report(steppe)["flavors"][0]["found_name"] == "steppe-1-160-1"
        with lab.report.check("once the image is there, the next sweep says so"):
            _upload(connect(FIRST_ADMIN).image, "not-there")
            drift(steppe)
            images = {image["code"]: image for image in _report(steppe)["images"]}
            assert _said(images["not-there"]) == ("name", None, None)
            assert _report(steppe)["unusable"] == 5
        with lab.report.check("the report costs one list of flavors and three of images, for all of the catalogue"):
            lab.report.figure("calls of a report on 12 images and a size", _calls(lab, there))
        for vm in made:
            steppe.ask("DELETE", f"/vms/{vm}")
            gone(steppe, vm)


_FAULTS = {"two": "openstack.images", "gone-id": "openstack.no_image", "by-other-case": "openstack.no_image"}


@contextmanager
def _in_glance() -> Iterator[dict[str, Any]]:
    """Give the images of this story, which are gone after it."""
    image = connect(FIRST_ADMIN).image
    before = {one.id for one in image.images()}
    made = {name: _upload(image, f"lab {name}") for name in ("id", "hidden", "name")}
    made["checksum"] = _upload(image, "lab checksum", content=_CONTENT)
    image.patch(
        f"/images/{made['hidden'].id}",
        json=[{"op": "replace", "path": "/os_hidden", "value": True}],
        headers={"Content-Type": "application/openstack-images-v2.1-json-patch"},
    ).raise_for_status()
    for name in ("two", "two", "spare"):
        _upload(image, name)
    _upload(image, "private", visibility="private")
    _upload(image, "large", min_disk=40)
    image.deactivate_image(_upload(image, "off"))
    try:
        yield made
    finally:
        hidden = [made["hidden"]]
        for one in [*image.images(), *hidden]:
            if one.id not in before:
                image.delete_image(one.id)


def _upload(image: Any, name: str, content: bytes = b"", **more: Any) -> Any:
    form = {"disk_format": "raw", "container_format": "bare", "visibility": "public"}
    data = content or name.encode()
    return image.create_image(name, data=data, wait=True, allow_duplicates=True, **{**form, **more})


def _offer(steppe: Steppe, there: dict[str, Any]) -> None:
    sources = {
        "by-id": there["id"].id,
        "by-hidden-id": there["hidden"].id,
        "by-checksum": f"sha512:{_SHA512}",
        "by-name": "lab name",
        "by-other-case": "LAB NAME",
        "gone-id": str(uuid4()),
        "not-there": None,
        "two": None,
        "off": None,
        "large": None,
    }
    for code, source in sources.items():
        steppe.made("/images", code=code, name=code, os="linux", min_disk_gib=1, source=source)
    steppe.made("/flavors", code="small", name="small", **_SIZE)


def _calls(lab: Lab, there: dict[str, Any]) -> str:
    driver = driver_of(connection(lab), Path())
    names = [*IMAGES, *(f"nowhere-{number}" for number in range(9)), there["hidden"].id]
    driver.match_catalogue([OfferedImage(name, None, 1) for name in names], [OfferedFlavor("small", **_SIZE)])
    calls = driver.link.calls
    driver.close()
    assert calls == {"compute GET": 1, "image GET": 3}, calls
    return str(calls)


def _asked(steppe: Steppe, image: str) -> str:
    return str(steppe.made("/vms", **an_ask(f"of-{image}", image=image, **_SIZE)).body["id"])


def _report(steppe: Steppe) -> dict[str, Any]:
    found: dict[str, Any] = steppe.call("GET", f"/pools/{POOL}/catalogue").body
    return found


def _said(image: dict[str, Any]) -> tuple[str | None, str | None, int | None]:
    return image["matched_by"], image["trouble"], image["amount"]
