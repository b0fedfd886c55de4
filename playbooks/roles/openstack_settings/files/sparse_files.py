"""A volume driver of Cinder that keeps each volume as a sparse file on this host, for the OpenStack lab.

An image is unfolded into the file, and what was in it before is gone with that. Nova's pretended hosts take any
connection; its libvirt driver takes a path of the kind `gpfs` for just what it is: a file that QEMU opens.
"""

from pathlib import Path
from typing import Any

from cinder.image import image_utils
from cinder.volume import driver
from oslo_config import cfg

_GIB = 1024**3


class SparseFiles(driver.VolumeDriver):
    """Volumes as files, with no connection to be made and none to be ended."""

    VERSION = "1.0"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._folder = Path(cfg.CONF.state_path) / "volumes"

    def check_for_setup_error(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)

    def create_volume(self, volume: Any) -> None:
        self._resize(volume, volume["size"])

    def copy_image_to_volume(self, context: Any, volume: Any, image_service: Any, image_id: str) -> None:
        file, size = str(self._file(volume)), volume["size"]
        block = self.configuration.volume_dd_blocksize
        image_utils.fetch_to_raw(context, image_service, image_id, file, block, size=size, run_as_root=False)
        self._resize(volume, size)

    def extend_volume(self, volume: Any, new_size: int) -> None:
        self._resize(volume, new_size)

    def delete_volume(self, volume: Any) -> None:
        self._file(volume).unlink(missing_ok=True)

    def ensure_export(self, context: Any, volume: Any) -> None:
        pass

    def create_export(self, context: Any, volume: Any, connector: Any) -> None:
        pass

    def remove_export(self, context: Any, volume: Any) -> None:
        pass

    def initialize_connection(self, volume: Any, connector: Any) -> dict[str, Any]:
        return {"driver_volume_type": "gpfs", "data": {"device_path": str(self._file(volume))}}

    def terminate_connection(self, volume: Any, connector: Any, **more: Any) -> None:
        pass

    def create_snapshot(self, snapshot: Any) -> None:
        pass

    def delete_snapshot(self, snapshot: Any) -> None:
        pass

    def _update_volume_stats(self) -> None:
        pool = {
            "pool_name": "files",
            "total_capacity_gb": "infinite",
            "free_capacity_gb": "infinite",
            "reserved_percentage": 0,
        }
        told = {"vendor_name": "Steppe", "driver_version": self.VERSION, "storage_protocol": "file", "pools": [pool]}
        self._stats = {"volume_backend_name": "files", **told}

    def _resize(self, volume: Any, gib: int) -> None:
        with self._file(volume).open("ab") as file:
            file.truncate(gib * _GIB)

    def _file(self, volume: Any) -> Path:
        return self._folder / str(volume["name"])
