"""The databases of the OpenStack lab, filled by each service's own commands, in chains that can run side by side."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.labs.openstack_answers import query

NAMES = ("keystone", "glance", "placement", "nova_api", "nova", "nova_cell0", "cinder", "neutron")
ADMIN_PASSWORD = "admin-of-the-lab"
IDENTITY_URL = "http://127.0.0.1:5000/v3"
REGION = "RegionOne"

_KEYSTONE = ("keystone-manage", "--config-file", "{conf}/keystone.conf")
_OWNED_BY_ROOT = ("--keystone-user", "root", "--keystone-group", "root")
_NOVA = ("nova-manage", "--config-file", "{conf}/nova.conf")
_NEUTRON = ("--config-file", "{conf}/neutron.conf", "--config-file", "{conf}/ml2_conf.ini")
CHAINS = {
    "identity": (
        (*_KEYSTONE, "db_sync"),
        (*_KEYSTONE, "fernet_setup", *_OWNED_BY_ROOT),
        (*_KEYSTONE, "credential_setup", *_OWNED_BY_ROOT),
        (
            *(*_KEYSTONE, "bootstrap", "--bootstrap-password", ADMIN_PASSWORD, "--bootstrap-region-id", REGION),
            *(word for face in ("admin", "internal", "public") for word in (f"--bootstrap-{face}-url", IDENTITY_URL)),
        ),
    ),
    "image": (("glance-manage", "--config-file", "{conf}/glance-api.conf", "db_sync"),),
    "placement": (("placement-manage", "--config-file", "{conf}/placement.conf", "db", "sync"),),
    "compute": (
        (*_NOVA, "api_db", "sync"),
        (*_NOVA, "cell_v2", "map_cell0"),
        (*_NOVA, "db", "sync"),
        (*_NOVA, "cell_v2", "create_cell", "--name=cell1"),
    ),
    "volume": (("cinder-manage", "--config-file", "{conf}/cinder.conf", "db", "sync"),),
    "network": (("neutron-db-manage", *_NEUTRON, "upgrade", "heads"),),
}


def lay(folder: Path) -> None:
    """Make MariaDB's own tables in the lab's folder, before it starts."""
    data = folder / "state" / "mariadb"
    data.mkdir(parents=True)
    shutil.chown(data, "mysql")
    subprocess.run(
        (
            "mariadb-install-db",
            f"--defaults-file={folder}/conf/mariadb.cnf",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ),
        check=True,
        capture_output=True,
        timeout=120,
    )


def create() -> None:
    """Create the empty databases."""
    query(" ".join(f"CREATE DATABASE {name} CHARACTER SET utf8;" for name in NAMES))


def fill(folder: Path, chain: str) -> None:
    """Run one chain of commands. Raises RuntimeError with the log's name where one fails."""
    log = folder / "log" / f"database-{chain}.log"
    with log.open("ab") as output:
        for words in CHAINS[chain]:
            command = [word.replace("{conf}", str(folder / "conf")) for word in words]
            environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": os.environ["HOME"]}
            done = subprocess.run(command, env=environment, stdout=output, stderr=output, check=False, timeout=300)
            if done.returncode:
                raise RuntimeError(f"{' '.join(command)} failed; see {log}")
