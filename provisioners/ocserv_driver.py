"""A VPN gateway that is ocserv, with the host's firewall to keep its groups apart.

Groups change seldom and are files: one Ansible run writes all of them. Sessions are to end while somebody watches:
that is ocserv's own tool, a few milliseconds away. What is in force is always read back from the host itself.
"""

import time
from collections.abc import Collection, Mapping
from json import JSONDecodeError
from pathlib import Path
from tarfile import TarError
from threading import Lock
from typing import Any

from pydantic import ValidationError

from provisioners import ocserv_files, playbook_run
from provisioners.contract import Rejected, Tunnel, TunnelGroup, Unreachable
from provisioners.ocserv_files import Pair
from provisioners.ocserv_link import Link, Settings, words

_GONE_SECONDS, _LOOK_SECONDS = 5.0, 0.05
_TAR_CHANGED = 1


class OcservDriver:
    """One gateway. Safe to use from several threads.

    A group whose file says anything strange is read back without addresses; what the firewall lets through and no
    group asks for is read back as a group without a name.
    """

    def __init__(self, settings: Settings, state_dir: Path) -> None:
        self._settings = settings
        self._link = Link(settings)
        self._folder = state_dir / "gateway-runs"
        self._groups = Lock()

    def groups(self) -> frozenset[TunnelGroup]:
        self._link.occtl("show", "status")
        with self._groups:
            return ocserv_files.in_force(self._files(), self._pairs())

    def set_groups(self, groups: Collection[TunnelGroup]) -> None:
        wanted = ocserv_files.checked(groups)
        self._link.occtl("show", "status")
        given = {
            "ocserv_groups": {group.name: ocserv_files.group_file(group) for group in wanted},
            "ocserv_allowed": sorted(" . ".join(pair) for group in wanted for pair in ocserv_files.networks_of(group)),
            "ocserv_groups_folder": self._settings.groups_folder,
            "ocserv_nft_file": self._settings.nft_file,
            "ocserv_nft_table": self._settings.nft_table,
            "ocserv_device": self._settings.device,
            "ocserv_occtl_socket": self._settings.occtl_socket,
        }
        with self._groups:
            host = self._settings.ansible_host()
            playbook_run.run("vpn_groups.yml", host, given, self._folder, self._settings.run_seconds)

    def tunnels(self) -> list[Tunnel]:
        return [tunnel for _, tunnel in self._up()]

    def disconnect(self, sessions: Collection[str]) -> None:
        ending = frozenset(sessions)
        deadline = time.monotonic() + _GONE_SECONDS
        told: set[str] = set()
        while up := {number for number, tunnel in self._up() if tunnel.session in ending}:
            if time.monotonic() > deadline:
                raise Unreachable(f"{len(up)} sessions are still up after {_GONE_SECONDS:g} s")
            if up - told:
                # Its interactive mode, as it ends one session at a time otherwise.
                self._link.occtl(said="".join(f"disconnect id {number}\n" for number in sorted(up - told)))
                told |= up
            time.sleep(_LOOK_SECONDS)

    def close(self) -> None:
        """There is nothing to let go of: no command outlives its call."""

    def _up(self) -> list[tuple[str, Tunnel]]:
        listing = self._link.occtl("-j", "show", "users")
        try:
            return list(ocserv_files.read_tunnels(listing))
        except (JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise Rejected("gateway.failed", f"ocserv's list of sessions cannot be read: {error!r}") from error

    def _files(self) -> dict[str, str]:
        packed = self._link.run(["tar", "-c", "-f", "-", "-C", self._settings.groups_folder, "."])
        if packed.returncode == _TAR_CHANGED:
            raise Unreachable(words(packed))
        if packed.returncode:
            raise Rejected("gateway.failed", words(packed))
        try:
            return ocserv_files.read_archive(packed.stdout)
        except TarError as error:
            raise Rejected("gateway.failed", f"the groups' folder cannot be read: {error}") from error

    def _pairs(self) -> frozenset[Pair] | None:
        """Return what the firewall lets through, None where it does not hold the rest back."""
        listed = self._link.run(["nft", "-j", "list", "table", "inet", self._settings.nft_table])
        if listed.returncode and b"No such file or directory" in listed.stderr:
            return None
        if listed.returncode:
            raise Rejected("gateway.failed", words(listed))
        try:
            return ocserv_files.read_pairs(listed.stdout)
        except (JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise Rejected("gateway.failed", f"the firewall's answer cannot be read: {error!r}") from error


def connect(connection: Mapping[str, Any], state_dir: Path) -> OcservDriver:
    """Return the driver of the gateway that `connection` describes: see `ocserv_link.Settings`. Raises Rejected."""
    try:
        settings = Settings.model_validate(dict(connection))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Rejected("gateway.connection", f"{where}: {first['msg']}" if where else first["msg"]) from error
    return OcservDriver(settings, state_dir)
