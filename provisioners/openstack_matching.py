"""Which images and flavors of a region the catalogue's are: what an order asks, one by one, and a report, all at once.

The rules are here once. An order has Glance look for the one image that it needs; a report reads Glance's whole list.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from provisioners.contract import (
    MOST_OTHERS,
    CatalogueMatch,
    FlavorMatch,
    ImageMatch,
    MatchedBy,
    OfferedFlavor,
    OfferedImage,
)
from provisioners.openstack_link import Document, Link

_FIELDS: dict[MatchedBy, str] = {"id": "id", "checksum": "os_hash_value", "name": "name"}
_KEPT = ("id", "name", "os_hash_value", "status", "visibility", "disk_format", "min_disk", "min_ram", "virtual_size")
_NO_DISKS = frozenset({"aki", "ari"})
"""Kernels and their first disks: parts of images, of which nobody makes a machine."""
_IDS_AT_ONCE = 50
"""An address must not grow too long."""
_GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Called:
    """How the catalogue calls an image: by an id, by a checksum, or by a name."""

    by: MatchedBy
    value: str

    @property
    def field(self) -> str:
        """Where Glance has it."""
        return _FIELDS[self.by]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The images that were found, by which name of the catalogue's; without any, `name` and `by` say nothing."""

    images: list[Document]
    name: str = ""
    by: MatchedBy | None = None


def chosen(source: str | None, code: str, look: Callable[[Called], list[Document]]) -> Chosen:
    """Return what an image of the catalogue is: looked for by its source, else by its code."""
    for name in (source, code):
        called = read(name) if name else None
        found = look(called) if called else []
        if called and name and found:
            return Chosen(found, name, called.by)
    return Chosen([])


def read(name: str) -> Called:
    """Return what a source or a code of the catalogue speaks of."""
    if is_id(name):
        return Called("id", name)
    algorithm, _, digest = name.partition(":")
    return Called("checksum", digest) if algorithm == "sha512" else Called("name", name)


def answering(called: Called, images: Iterable[Document], *, active: bool = True) -> list[Document]:
    """Return those that are called just so and are active, or just are not. A database may be less exact than that."""
    just_so = (image for image in images if image.get(called.field) == called.value)
    return [image for image in just_so if (image["status"] == "active") == active]


def public_flavors(link: Link) -> Iterator[Document]:
    """Yield the flavors that are there for every project."""
    return link.every("compute", "/flavors/detail", "flavors", is_public="true")


def of_size(flavors: Iterable[Document], size: tuple[int, int, int]) -> Document | None:
    """Return the first flavor of just this size (vcpu, MiB, GiB) that has nothing else besides."""
    for flavor in flavors:
        plain = not flavor["swap"] and not flavor["OS-FLV-EXT-DATA:ephemeral"] and not flavor.get("extra_specs")
        if plain and (flavor["vcpus"], flavor["ram"], flavor["disk"]) == size:
            return flavor
    return None


def is_id(name: str) -> bool:
    """Tell whether a name is an id of OpenStack's."""
    try:
        UUID(name)
    except ValueError:
        return False
    return True


def match(link: Link, images: Collection[OfferedImage], flavors: Collection[OfferedFlavor]) -> CatalogueMatch:
    """Return how the catalogue and the region match. Raises Rejected, Unreachable."""
    there = list(public_flavors(link)) if flavors else []
    listed = [_kept(image) for image in link.every("image", "/images", "images")]
    known = _Known(listed, _by_id(link, images, listed))
    most_memory = max((flavor.memory_mib for flavor in flavors), default=None)
    found = [_found(image, known, most_memory) for image in images]
    others = sorted(str(one["name"] or one["id"]) for one in listed if _is_for_all(one) and one["id"] not in known.used)
    return CatalogueMatch(
        tuple(found),
        tuple(_flavor(flavor, there) for flavor in flavors),
        tuple(others[:MOST_OTHERS]),
        len(others),
    )


class _Known:
    """The images of a region: those of its list, and those that only who knows their id gets to see. `used`: the ids of
    those that were asked for."""

    def __init__(self, listed: list[Document], besides: list[Document]) -> None:
        self._ways: dict[tuple[str, Any], list[Document]] = {}
        self.used: set[str] = set()
        for image in listed:
            for field in _FIELDS.values():
                self._ways.setdefault((field, image[field]), []).append(image)
        for image in besides:
            self._ways[_FIELDS["id"], image["id"]] = [image]

    def look(self, called: Called, *, active: bool) -> list[Document]:
        found = answering(called, self._ways.get((called.field, called.value), ()), active=active)
        self.used.update(image["id"] for image in found)
        return found


def _kept(image: Document) -> Document:
    return {name: image.get(name) for name in _KEPT}


def _by_id(link: Link, images: Collection[OfferedImage], listed: Collection[Document]) -> list[Document]:
    """Return images that the catalogue has by id and that are in no list: hidden ones, and other projects' own that are
    there for whoever knows of them."""
    names = {name for image in images for name in (image.source, image.code) if name and is_id(name)}
    missing = sorted(names - {image["id"] for image in listed})
    found: list[Document] = []
    for start in range(0, len(missing), _IDS_AT_ONCE):
        few = f"in:{','.join(missing[start : start + _IDS_AT_ONCE])}"
        for hidden in ("false", "true"):
            how = {"visibility": "all", "os_hidden": hidden}
            found += [_kept(image) for image in link.every("image", "/images", "images", id=few, **how)]
    return found


def _found(image: OfferedImage, known: _Known, most_memory: int | None) -> ImageMatch:
    ready = chosen(image.source, image.code, lambda called: known.look(called, active=True))
    if len(ready.images) > 1:
        return ImageMatch(image.code, by=ready.by, trouble="several", amount=len(ready.images))
    if not ready.images:
        unready = chosen(image.source, image.code, lambda called: known.look(called, active=False))
        if not unready.images:
            return ImageMatch(image.code, trouble="missing")
        return ImageMatch(image.code, *_named(unready), trouble="not_active")
    [one] = ready.images
    disk, memory = _disk_gib(one), one["min_ram"] or 0
    if disk > image.min_disk_gib:
        return ImageMatch(image.code, *_named(ready), trouble="too_large", amount=disk)
    if most_memory is not None and memory > most_memory:
        return ImageMatch(image.code, *_named(ready), trouble="min_ram", amount=memory)
    return ImageMatch(image.code, *_named(ready))


def _named(found: Chosen) -> tuple[str, str | None, MatchedBy | None]:
    return str(found.images[0]["id"]), found.images[0]["name"], found.by


def _disk_gib(image: Document) -> int:
    """Return how large a disk Nova wants for it: what its owner says, and what it unfolds to."""
    return max(image["min_disk"] or 0, -(-(image["virtual_size"] or 0) // _GIB))


def _is_for_all(image: Document) -> bool:
    return image["visibility"] == "public" and image["status"] == "active" and image["disk_format"] not in _NO_DISKS


def _flavor(flavor: OfferedFlavor, there: Collection[Document]) -> FlavorMatch:
    found = of_size(there, (flavor.vcpu, flavor.memory_mib, flavor.disk_gib))
    return FlavorMatch(flavor.code, str(found["id"]), found["name"]) if found else FlavorMatch(flavor.code)
