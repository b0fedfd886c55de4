"""What the OpenStack lab keeps between runs: its settings, and databases that are filled but not yet used.

Both follow from packages, playbook and a few files here alone. A sum over those is the name under which they are kept,
so that nothing outdated is ever found.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from tests.labs.openstack_namespace import PLACE

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("STEPPE_LAB_CACHE", "/var/cache/steppe-lab"))
_PLAYBOOKS = ROOT / "playbooks"
_PARTS = ("conf", "state/mariadb", "state/keystone")
_DECIDE = ("openstack_catalogue.py", "openstack_databases.py", "openstack_prepared.py")


def place_for(compute: str) -> Path:
    """Return the folder in which what is prepared for a kind of compute host is kept, there or not."""
    told = yaml.safe_load((_PLAYBOOKS / "roles/openstack_packages/defaults/main.yml").read_text())
    asked = ("dpkg-query", "-W", "-f", "${Package} ${Version}\n", *told["openstack_packages"])
    seen = hashlib.sha256(compute.encode())
    seen.update(subprocess.run(asked, capture_output=True, check=False).stdout)
    files = [*_PLAYBOOKS.glob("roles/openstack_*/**/*"), *(Path(__file__).with_name(name) for name in _DECIDE)]
    for file in sorted(file for file in files if file.is_file()):
        seen.update(file.read_bytes())
    return CACHE / f"openstack-{compute}-{seen.hexdigest()[:12]}"


def prepare(folder: Path, compute: str) -> Path | None:
    """Give the lab's folder its settings, and databases where they were kept.

    Returns where to keep them once they are filled, None if they are there. Raises RuntimeError if the playbook fails.
    """
    kept = place_for(compute)
    if kept.exists():
        subprocess.run(("cp", "-a", f"{kept}/.", folder), check=True)
        return None
    _run_playbook(folder, compute)
    # The packages may have come with it.
    return place_for(compute)


def keep(folder: Path, place: Path) -> None:
    """Keep settings and databases of a lab whose MariaDB has just been stopped, and drop what earlier versions kept."""
    CACHE.mkdir(parents=True, exist_ok=True)
    copy = Path(tempfile.mkdtemp(prefix="building-", dir=CACHE))
    for part in _PARTS:
        (copy / part).parent.mkdir(exist_ok=True)
        subprocess.run(("cp", "-a", folder / part, copy / part), check=True)
    copy.chmod(0o755)
    for older in CACHE.glob(f"{place.name.rpartition('-')[0]}-*"):
        shutil.rmtree(older)
    copy.rename(place)


def _run_playbook(folder: Path, compute: str) -> None:
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,"]
    for name, value in (
        ("lab_settings", folder / "conf"),
        ("lab_folder", PLACE),
        ("lab_compute", compute),
        # The one that Debian's python3-apt is for.
        ("ansible_python_interpreter", "/usr/bin/python3"),
    ):
        command += ["-e", f"{name}={value}"]
    log = folder / "playbook.log"
    with log.open("wb") as output:
        done = subprocess.run(
            [*command, str(_PLAYBOOKS / "lab_openstack.yml")], stdout=output, stderr=output, check=False, timeout=1800
        )
    if done.returncode:
        raise RuntimeError(f"the playbook failed; see {log}")
