"""Whether the parts of the OpenStack lab work, asked as clients would ask. A part that is away is no error here."""

import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Sequence
from datetime import datetime

_CLIENT = ("mariadb", "--no-defaults", "-h127.0.0.1", "-uroot", "--connect-timeout=5", "--batch", "--skip-column-names")
# Where nova, cinder and neutron note when they last heard of a part that has no door of its own.
_HEARD_OF = {
    "nova": "SELECT COUNT(*) FROM nova.services WHERE `binary`='{binary}' AND host='{host}' AND updated_at>'{since}'",
    "cinder": "SELECT COUNT(*) FROM cinder.services"
    " WHERE `binary`='{binary}' AND host='{host}' AND updated_at>'{since}'",
    "neutron": "SELECT COUNT(*) FROM neutron.agents"
    " WHERE `binary`='{binary}' AND host='{host}' AND heartbeat_timestamp>'{since}'",
}


def query(statement: str) -> str:
    """Run SQL as the databases' administrator; return rows as lines of columns apart by tabs. Raises where it fails."""
    done = subprocess.run((*_CLIENT, "-e", statement), capture_output=True, text=True, check=True, timeout=30)
    return done.stdout.strip()


def database() -> bool:
    """Whether MariaDB takes statements."""
    return _number("SELECT 1") == 1


def port(number: int) -> bool:
    """Whether something listens there."""
    try:
        with socket.create_connection(("127.0.0.1", number), timeout=2):
            return True
    except OSError:
        return False


def broker() -> bool:
    """Whether RabbitMQ answers the first words of its protocol, which it does once it serves."""
    try:
        with socket.create_connection(("127.0.0.1", 5672), timeout=2) as link:
            link.sendall(b"AMQP\x00\x00\x09\x01")
            return bool(link.recv(1))
    except OSError:
        return False


def http(number: int, path: str = "/") -> bool:
    """Whether an API there tells its versions."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{number}{path}", timeout=5):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 400
    except (OSError, ValueError):
        return False


def hypervisor() -> bool:
    """Whether libvirtd answers."""
    probe = subprocess.run(
        ("virsh", "-q", "-c", "qemu:///system", "version"), capture_output=True, timeout=30, check=False
    )
    return probe.returncode == 0


def heard_of(parts: Sequence[tuple[str, str]], since: datetime) -> bool:
    """Whether every one of `parts`, as (program, host), was heard of after `since` (UTC)."""
    at = f"{since:%Y-%m-%d %H:%M:%S}"
    for binary, host in parts:
        statement = _HEARD_OF[binary.partition("-")[0]].format(binary=binary, host=host, since=at)
        if _number(statement) < 1:
            return False
    return True


def can_build(hosts: Sequence[str]) -> bool:
    """Whether servers can be placed on all `hosts`: mapped to a cell, and their room known to Placement."""
    names = ",".join(f"'{host}'" for host in hosts)
    mapped = _number(f"SELECT COUNT(*) FROM nova_api.host_mappings WHERE host IN ({names})")
    roomy = _number(
        "SELECT COUNT(DISTINCT p.id) FROM placement.resource_providers p"
        f" JOIN placement.inventories i ON i.resource_provider_id=p.id WHERE p.name IN ({names})"
    )
    return mapped == roomy == len(hosts)


def _number(statement: str) -> int:
    try:
        return int(query(statement))
    except (subprocess.SubprocessError, ValueError):
        return 0
