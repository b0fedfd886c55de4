"""The volumes of a machine: its disk, upon its image, its seed, and its data disks, upon nothing.

A disk may hold a department's data, so it is made anew only where the spec says so; a seed holds nothing that cannot be
written again. A simulated hypervisor records volumes and keeps no bytes: nothing can be copied to it, and replacing a
volume by a larger one loses nothing.
"""

from collections.abc import Collection
from dataclasses import replace
from io import BytesIO
from uuid import UUID

import libvirt

from provisioners import libvirt_xml as xml
from provisioners.cloud_seed import seed_iso
from provisioners.contract import ImageMatch, MachineSpec, OfferedImage, Rejected
from provisioners.libvirt_link import is_lost


class Volumes:
    """The volumes of our machines in one storage pool."""

    def __init__(self, connection: libvirt.virConnect, pool: str, keeps_bytes: bool) -> None:
        self._connection = connection
        self._pool = connection.storagePoolLookupByName(pool)
        self._keeps_bytes = keeps_bytes

    def find(self, name: str) -> libvirt.virStorageVol | None:
        try:
            return self._pool.storageVolLookupByName(name)
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_STORAGE_VOL:
                raise
            return None

    def match(self, image: OfferedImage, there: Collection[str]) -> ImageMatch:
        """Return what an image of the catalogue is here, as `disk` would find it; `there` are the names of all volumes.

        A file that is in no storage pool shows only when a volume is made upon it: that it may be there is all to say.
        """
        name = xml.image_volume(image.code)
        if name in there and (volume := self.find(name)) is not None:
            found = ImageMatch(image.code, str(volume.path()), name, "name")
            needs = -(-volume.info()[1] // xml.GIB)
            return replace(found, trouble="too_large", amount=needs) if needs > image.min_disk_gib else found
        if not self._keeps_bytes:
            return ImageMatch(image.code, None, name, "name")
        if image.source is None:
            return ImageMatch(image.code, trouble="missing")
        found = ImageMatch(image.code, image.source, None, "path")
        return found if self.size_at(image.source) else replace(found, trouble="not_seen")

    def names(self) -> set[str]:
        return set(self._pool.listVolumes())

    def size_at(self, path: str) -> int:
        """Return the bytes of the volume at a path of the hypervisor, whoever made it; 0 where no pool has it."""
        try:
            return int(self._connection.storageVolLookupByPath(path).info()[1])
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_STORAGE_VOL:
                raise
            return 0

    def disk(self, spec: MachineSpec) -> str:
        """Return the path of the machine's disk, making it where it is absent and growing it where it is too small.

        One that lies upon another image is replaced: an earlier try began the machine from it. Raises Rejected.
        """
        image = self._image(spec)
        found = self.find(xml.disk_volume(spec.id))
        if found is not None and xml.backing_path(found.XMLDesc()) == image:
            self._grow(found, spec.disk_gib)
            return str(found.path())
        if found is not None:
            found.delete()
        return str(self._make_disk(spec, image).path())

    def fresh_disk(self, spec: MachineSpec) -> None:
        """Replace the machine's disk by an empty one upon the image. Raises Rejected."""
        image = self._image(spec)
        self.drop(xml.disk_volume(spec.id))
        self._make_disk(spec, image)

    def data_disk(self, machine: UUID, place: int, gib: int) -> str:
        """Return the path of a data disk, making it where it is absent and growing it where it is too small. What is on
        it is never touched. Raises Rejected where it is larger."""
        name = xml.data_volume(machine, place)
        found = self.find(name)
        if found is None:
            found = self._pool.createXML(xml.volume_xml(name, gib * xml.GIB, "qcow2"))
        else:
            self._grow(found, gib)
        return str(found.path())

    def data_disks(self, spec: MachineSpec) -> tuple[str, ...]:
        """Return the paths of the machine's data disks, each as `data_disk` has it."""
        return tuple(self.data_disk(spec.id, place, gib) for place, gib in enumerate(spec.data_disks, 1))

    def resize(self, spec: MachineSpec) -> tuple[str, ...]:
        """Make the machine's disks as large as the spec has them and its data disks as many; return the data disks'
        paths. Rejected where one is larger, before any is changed."""
        disk = self._pool.storageVolLookupByName(xml.disk_volume(spec.id))
        data = (self.find(xml.data_volume(spec.id, place)) for place in range(1, len(spec.data_disks) + 1))
        for volume, gib in zip((disk, *data), (spec.disk_gib, *spec.data_disks), strict=True):
            if volume is not None:
                _must_not_shrink(volume, gib)
        self._grow(disk, spec.disk_gib)
        return self.data_disks(spec)

    def _grow(self, disk: libvirt.virStorageVol, gib: int) -> None:
        _must_not_shrink(disk, gib)
        wanted = gib * xml.GIB
        if wanted > disk.info()[1] and self._keeps_bytes:
            disk.resize(wanted)
        elif wanted > disk.info()[1]:
            name, backing = disk.name(), xml.backing_path(disk.XMLDesc())
            disk.delete()
            self._pool.createXML(xml.volume_xml(name, wanted, "qcow2", backing))

    def seed(self, spec: MachineSpec) -> str:
        """Return the path of the machine's seed, just written: one that an earlier try left may be half a seed."""
        name = xml.seed_volume(spec.id)
        self.drop(name)
        content = seed_iso(spec)
        volume = self._pool.createXML(xml.volume_xml(name, len(content), "raw"))
        if self._keeps_bytes:
            self._upload(volume, content)
        return str(volume.path())

    def drop(self, name: str) -> bool:
        """Delete a volume; return whether there was one."""
        volume = self.find(name)
        if volume is None:
            return False
        volume.delete()
        return True

    def clear(self, machine: UUID) -> bool:
        """Delete the machine's volumes; return whether there was any."""
        names = (*xml.volumes_of(machine), xml.probe_volume(machine))
        return sum(self.drop(name) for name in names) > 0

    def definitions(self, machine: UUID) -> dict[str, str | None]:
        """Return the XML of the machine's volumes and of the image below, by name; None for one that is not there."""
        names = xml.volumes_of(machine)
        found = {name: volume.XMLDesc() if (volume := self.find(name)) else None for name in names}
        backing = xml.backing_path(found[names[0]] or "<volume/>")
        if backing is not None:
            image = self._connection.storageVolLookupByPath(backing)
            found[image.name()] = image.XMLDesc()
        return found

    def _make_disk(self, spec: MachineSpec, image: str) -> libvirt.virStorageVol:
        text = xml.volume_xml(xml.disk_volume(spec.id), spec.disk_gib * xml.GIB, "qcow2", image)
        return self._pool.createXML(text)

    def _image(self, spec: MachineSpec) -> str:
        """Return the path of the image: the pool's volume of that name, else the file that the spec names.

        The file is one that the hypervisor sees, and is referred to: a copy could be left half made.
        """
        name = xml.image_volume(spec.image)
        volume = self.find(name)
        if volume is None and not self._keeps_bytes:
            volume = self._put_image(name)
        if volume is None:
            return self._image_file(spec)
        has = volume.info()[1]
        if has > spec.disk_gib * xml.GIB:
            detail = f"image {spec.image} needs {has / xml.GIB:g} GiB, the disk has {spec.disk_gib}"
            raise Rejected("libvirt.disk_below_image", detail)
        return str(volume.path())

    def _put_image(self, name: str) -> libvirt.virStorageVol:
        """Another thread may do the same at the same time; the one that comes second takes what the first made."""
        try:
            return self._pool.createXML(xml.volume_xml(name, xml.GIB, "qcow2"))
        except libvirt.libvirtError:
            if (volume := self.find(name)) is None:
                raise
            return volume

    def _image_file(self, spec: MachineSpec) -> str:
        """Only a volume made upon the file shows that it is there; a rebuild must know before the old disk goes."""
        where = f"no volume {xml.image_volume(spec.image)} in storage pool {self._pool.name()}"
        if spec.image_source is None:
            raise Rejected("libvirt.no_image", f"{where}, and image {spec.image} names no file")
        name = xml.probe_volume(spec.id)
        self.drop(name)
        try:
            self._pool.createXML(xml.volume_xml(name, xml.GIB, "qcow2", spec.image_source)).delete()
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_SYSTEM_ERROR or is_lost(error):
                raise
            raise Rejected("libvirt.no_image", f"{where}; {error.get_error_message()}") from error
        return spec.image_source

    def _upload(self, volume: libvirt.virStorageVol, content: bytes) -> None:
        stream = self._connection.newStream()
        try:
            volume.upload(stream, 0, len(content))
            stream.sendAll(lambda _stream, count, source: source.read(count), BytesIO(content))
            stream.finish()
        except BaseException:
            stream.abort()
            raise


def _must_not_shrink(disk: libvirt.virStorageVol, gib: int) -> None:
    has = disk.info()[1]
    if gib * xml.GIB < has:
        detail = f"disk {disk.name()} has {has / xml.GIB:g} GiB, {gib} were asked; a disk only grows"
        raise Rejected("libvirt.disk_shrinks", detail)
