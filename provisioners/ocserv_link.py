"""The way to a gateway's host: single commands, for what must be quick. Files are changed by playbook_run.py.

A command is a list of arguments from here to the host, on this machine, in one of its network namespaces or over SSH.
"""

import shlex
import subprocess
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from provisioners.contract import Rejected, Unreachable

_ABSOLUTE = r"^/[^\x00\n]+$"
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._:-]*$"
_SSH_FAILED = 255


class Settings(BaseModel):
    """What a pool's record says of a gateway. `host` is what SSH connects to, or the name of a network namespace of
    this machine; where the gateway is this machine it is a word for people.

    `clients` is Steppe's alone: the network that groups get their addresses from. `sudo`: commands need it there.
    `python` is the host's own, which Ansible runs its modules with.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(pattern=_NAME, max_length=253)
    connection: Literal["local", "netns", "ssh"] = "ssh"
    user: str | None = Field(None, pattern=_NAME)
    port: int = Field(22, ge=1, le=65535)
    key_file: str | None = Field(None, pattern=_ABSOLUTE)
    known_hosts: str | None = Field(None, pattern=_ABSOLUTE, description="where SSH looks up the host's key")
    clients: str | None = None
    sudo: bool = False
    python: str = Field("/usr/bin/python3", pattern=_ABSOLUTE)
    occtl_socket: str = Field("/run/occtl.socket", pattern=_ABSOLUTE)
    groups_folder: str = Field("/etc/ocserv/groups", pattern=_ABSOLUTE)
    nft_file: str = Field("/etc/ocserv/forward.nft", pattern=_ABSOLUTE)
    nft_table: str = Field("steppe_vpn", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    device: str = Field("vpns", pattern=r"^[a-z]{1,10}$", description="what the names of tunnels' devices begin with")
    command_seconds: float = Field(10, gt=0, le=60)
    run_seconds: int = Field(50, gt=0, le=600)

    @model_validator(mode="after")
    def _ssh_alone_has_a_user(self) -> "Settings":
        if self.connection == "ssh" and self.user is None:
            raise ValueError("a connection by ssh needs a user")
        if self.connection != "ssh" and (self.user or self.key_file or self.known_hosts):
            raise ValueError("user, key_file and known_hosts are for a connection by ssh")
        return self

    def ssh_options(self) -> list[str]:
        """Return how SSH is to behave: it never asks, and it trusts no host that it does not know."""
        options = ["BatchMode=yes", "ConnectTimeout=5", "StrictHostKeyChecking=yes"]
        if self.known_hosts:
            options.append(f"UserKnownHostsFile={self.known_hosts}")
        return [word for option in options for word in ("-o", option)]

    def command(self, arguments: Sequence[str]) -> list[str]:
        """Return what to run here so that `arguments` are run at the gateway."""
        there = ["sudo", "-n", *arguments] if self.sudo else list(arguments)
        if self.connection == "local":
            return there
        if self.connection == "netns":
            return ["ip", "netns", "exec", self.host, *there]
        key = ["-o", "IdentitiesOnly=yes", "-i", self.key_file] if self.key_file else []
        way = ["-T", *self.ssh_options(), *key, "-p", str(self.port), "-l", str(self.user), self.host]
        # SSH hands the host one string for its shell: quoting makes the arguments arrive as they are.
        return ["ssh", *way, "--", shlex.join(there)]

    def ansible_host(self) -> dict[str, Any]:
        """Return the variables of the gateway in an Ansible inventory."""
        known: dict[str, Any] = {
            "ansible_host": self.host,
            "ansible_connection": self.connection,
            "ansible_become": self.sudo,
            "ansible_python_interpreter": self.python,
        }
        if self.connection == "ssh":
            known |= {"ansible_user": self.user, "ansible_port": self.port}
            known |= {"ansible_ssh_common_args": shlex.join(self.ssh_options())}
        return known | ({"ansible_ssh_private_key_file": self.key_file} if self.key_file else {})


class Link:
    """Runs commands at one gateway. Safe to use from several threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def run(self, arguments: Sequence[str], said: str = "") -> subprocess.CompletedProcess[bytes]:
        """Run a command with `said` for its standard input, and return how it went.

        Raises Unreachable where the host does not answer, Rejected where it has no such command.
        """
        command = self._settings.command(arguments)
        try:
            done = subprocess.run(  # noqa: S603 - arguments of our own, and no shell
                command, input=said.encode(), capture_output=True, check=False, timeout=self._settings.command_seconds
            )
        except subprocess.TimeoutExpired:
            raise Unreachable(f"{arguments[0]} has not answered within {self._settings.command_seconds:g} s") from None
        except FileNotFoundError as error:
            raise Rejected("gateway.failed", f"this machine has no {error.filename}") from None
        if self._is_lost(done):
            raise Unreachable(words(done))
        return done

    def occtl(self, *arguments: str, said: str = "") -> bytes:
        """Return what ocserv's control tool prints; with `said` alone it takes its commands from there, one a line.

        Raises Unreachable where the host or ocserv does not answer, Rejected.
        """
        # Without a zone in its answer, it tells the time of its environment.
        tool = ["env", "TZ=UTC", "occtl", "-n", "-s", self._settings.occtl_socket]
        done = self.run([*tool, *arguments], said)
        if done.returncode == 0:
            return done.stdout
        if done.returncode in (126, 127):
            raise Rejected("gateway.failed", words(done))
        raise Unreachable(words(done))

    def _is_lost(self, done: subprocess.CompletedProcess[bytes]) -> bool:
        if self._settings.connection == "ssh":
            return done.returncode == _SSH_FAILED
        return done.returncode != 0 and b"Cannot open network namespace" in done.stderr


def words(done: subprocess.CompletedProcess[bytes]) -> str:
    """Return what a failed command had to say, for a person."""
    said = (done.stderr.strip() or done.stdout.strip()).decode(errors="replace")
    return said[-500:] or f"the command ended with {done.returncode} and said nothing"
