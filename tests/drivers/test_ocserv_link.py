"""How a gateway's host is reached, and which connections make no sense."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from provisioners.contract import Rejected, Unreachable
from provisioners.ocserv_driver import connect
from provisioners.ocserv_link import Link, Settings
from provisioners.playbook_run import run

SSH = {"host": "vpn-1", "user": "steppe"}


@pytest.mark.parametrize(
    ("connection", "command"),
    [
        ({"host": "here", "connection": "local"}, ["occtl", "a b", "$(c)"]),
        ({"host": "here", "connection": "local", "sudo": True}, ["sudo", "-n", "occtl", "a b", "$(c)"]),
        ({"host": "gw", "connection": "netns"}, ["ip", "netns", "exec", "gw", "occtl", "a b", "$(c)"]),
    ],
)
def test_a_command_arrives_as_a_list(connection: dict[str, Any], command: list[str]) -> None:
    assert Settings(**connection).command(["occtl", "a b", "$(c)"]) == command


def test_ssh_never_asks_trusts_no_stranger_and_hands_over_quoted_words() -> None:
    command = Settings(**SSH, key_file="/etc/steppe/id", known_hosts="/etc/steppe/hosts").command(["occtl", "$(c)"])
    assert command[0] == "ssh"
    assert {"BatchMode=yes", "StrictHostKeyChecking=yes", "UserKnownHostsFile=/etc/steppe/hosts"} < set(command)
    assert command[-5:] == ["-l", "steppe", "vpn-1", "--", "occtl '$(c)'"]


def test_the_network_of_clients_which_is_steppes_alone_may_stand_in_a_connection(tmp_path: Path) -> None:
    connect({"host": "gw", "connection": "netns", "clients": "10.96.0.0/12"}, tmp_path)


@pytest.mark.parametrize(
    ("connection", "why"),
    [
        ({}, "host: Field required"),
        ({"host": "-oProxyCommand=x", "user": "steppe"}, "host: String should match"),
        ({"host": "vpn-1"}, "ssh needs a user"),
        ({"host": "gw", "connection": "netns", "user": "steppe"}, "are for a connection by ssh"),
        ({**SSH, "groups_folder": "etc"}, "groups_folder: String should match"),
        ({**SSH, "nft_table": "a; flush ruleset"}, "nft_table: String should match"),
        ({**SSH, "password": "secret"}, "password: Extra inputs"),
    ],
)
def test_a_connection_that_makes_no_sense_is_refused(connection: dict[str, Any], why: str, tmp_path: Path) -> None:
    with pytest.raises(Rejected, match=r"gateway\.connection: .*" + why) as refused:
        connect(connection, tmp_path)
    assert "secret" not in str(refused.value)


def test_a_command_that_hangs_is_a_host_that_does_not_answer() -> None:
    link = Link(Settings(host="here", connection="local", command_seconds=0.1))
    with pytest.raises(Unreachable, match=r"sleep has not answered within 0\.1 s"):
        link.run(["sleep", "5"])


def test_a_tool_that_is_not_there_is_a_refusal() -> None:
    with pytest.raises(Rejected, match="no no-such-tool"):
        Link(Settings(host="here", connection="local")).run(["no-such-tool"])


@pytest.mark.skipif(shutil.which("ssh") is None, reason="NO SSH: apt-get install openssh-client")
def test_a_run_on_a_host_that_is_not_there_is_unreachable_and_leaves_nothing(tmp_path: Path) -> None:
    host = {"ansible_host": "127.0.0.1", "ansible_connection": "ssh", "ansible_port": 1}
    with pytest.raises(Unreachable):
        run("vpn_groups.yml", host, {"ocserv_nft_file": "/nowhere"} | _NOTHING, tmp_path, 30)
    assert list(tmp_path.iterdir()) == []


_NOTHING = {
    "ocserv_nft_table": "t",
    "ocserv_allowed": [],
    "ocserv_device": "vpns",
    "ocserv_groups": {},
    "ocserv_groups_folder": "/nowhere",
    "ocserv_occtl_socket": "/nowhere",
}
