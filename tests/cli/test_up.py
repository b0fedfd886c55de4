"""One command starts everything, one Ctrl-C stops everything, and a kill -9 leaves nothing behind.

This is the real thing: the command as a process of its own, with its own database, web server, worker and simulated
hypervisors, loading the model centre. The first start is the dear part, so there is one test, and its chapters are told
in order: each goes on from where the one before it left the centre.
"""

import json
import os
import re
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.cli.processes import (
    ROOT,
    STEPPE,
    alive,
    environment,
    free_port,
    postmaster,
    short_folder,
    steppe,
    until,
)

DEMO = "Demo sign-ins"


@dataclass
class Story:
    """One installation, and what was found out about it on the way."""

    state: Path
    env: dict[str, str]
    url: str
    ids: set[str] = field(default_factory=set)
    ups: list["Up"] = field(default_factory=list)

    def up(self) -> "Up":
        self.ups.append(Up(self))
        return self.ups[-1]

    def json(self, *words: str) -> Any:
        done = steppe(self.env, *words)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def machines(self) -> int:
        """Return how many machines the simulated hypervisors keep."""
        return len(list(self.state.glob("nodes/libvirt/*/domains/*.xml")))


class Up:
    """A running `steppe up`."""

    def __init__(self, story: Story) -> None:
        self.log = story.state.parent / f"up-{len(story.ups)}.log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                (*STEPPE, "up", "--centre", "inner-mongolia"),
                cwd=ROOT,
                env=story.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def said(self) -> str:
        return self.log.read_text()

    def wait(self, seconds: float = 180) -> str:
        """Wait until it says that it is up, and return all that it has said."""

        def said_so() -> bool:
            assert self.process.poll() is None, self.said()
            return "Steppe is up" in self.said()

        until(said_so, f"to be up: {self.log}", seconds)
        return self.said()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)


@pytest.fixture
def story() -> Iterator[Story]:
    with short_folder() as folder:
        state = folder / "s"
        listen = f"127.0.0.1:{free_port()}"
        env = environment(state, STEPPE_LISTEN=listen, STEPPE_WEB_WORKERS="1")
        told = Story(state, env, f"http://{listen}")
        yield told
        for up in told.ups:
            if up.process.poll() is None:
                up.process.kill()
            up.process.wait(10)


def test_one_command_starts_and_stops_everything_and_a_kill_leaves_nothing_behind(story: Story) -> None:
    the_first_start_loads_the_centre_serves_it_and_stops_at_ctrl_c(story)
    a_command_beside_no_up_starts_the_database_for_itself_and_leaves_none_behind(story)
    another_start_finds_everything_as_it_was_left(story)
    the_readmes_first_calls_work_when_they_are_pasted(story)
    killing_the_supervisor_leaves_no_children_and_the_next_start_works(story)


def the_first_start_loads_the_centre_serves_it_and_stops_at_ctrl_c(story: Story) -> None:
    up = story.up()
    said = up.wait()
    assert DEMO in said
    assert len(re.findall(r"^ *(admin|security|audit|manager) +\S{12,}", said, re.MULTILINE)) == 4

    vms = all_vms(story)
    assert {v["state"] for v in vms} == {"running"}
    story.ids = {v["id"] for v in vms}
    assert len(story.ids) == story.machines() == 292

    with urllib.request.urlopen(f"{story.url}/sign-in", timeout=60) as page:
        assert page.status == 200
        assert "<form" in page.read().decode()

    figures = story.json("centre", "bulletin", "--json")
    names = ("departments", "sites", "systems", "system_departments", "vms", "vm_departments")
    assert tuple(figures[n] for n in names) == (110, 116, 478, 57, 292, 37)

    doctor = steppe(story.env, "doctor")
    assert doctor.returncode == 0, doctor.stdout
    assert "1 at work" in doctor.stdout

    assert up.stop() == 0
    assert "Stopped." in up.said()
    assert "Traceback" not in up.said()
    assert alive(story.state) == []


def a_command_beside_no_up_starts_the_database_for_itself_and_leaves_none_behind(story: Story) -> None:
    assert postmaster(story.state) is None
    assert story.json("ledger", "verify", "--json") == []
    assert alive(story.state) == []
    doctor = steppe(story.env, "doctor")
    assert (doctor.returncode, "no worker" in doctor.stdout) == (1, True)
    assert alive(story.state) == []


def another_start_finds_everything_as_it_was_left(story: Story) -> None:
    up = story.up()
    said = up.wait()
    assert DEMO not in said
    assert "loading" not in said
    with urllib.request.urlopen(f"{story.url}/sign-in", timeout=60) as page:
        assert page.status == 200, "it says that it is up when it is"
    vms = all_vms(story)
    assert {v["state"] for v in vms} == {"running"}
    assert {v["id"] for v in vms} == story.ids
    assert story.machines() == 292


def the_readmes_first_calls_work_when_they_are_pasted(story: Story) -> None:
    [_, calls] = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)[:2]
    pasted = calls.replace("http://127.0.0.1:8080", story.url)
    assert pasted != calls
    done = subprocess.run(
        ("bash", "-u"), input=pasted, env=story.env, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    answers = [json.loads(line) for line in done.stdout.splitlines() if line]
    would, first, second, running, strange, refused, before, deleting, gone, after = answers
    assert would["dry_run"] is True
    assert would["quota_after"]
    assert first["id"] == second["id"] == running["id"]
    assert running["state"] == "running"
    assert (strange["status"], gone["status"]) == (404, 404)
    assert (refused["status"], refused["class"], refused["asked"]) == (409, "vcpu", 200)
    assert deleting["state"] == "deleting"
    used = [{c["class"]: c["used"] for c in quota["classes"]} for quota in (before, after)]
    assert used[0]["vm"] - used[1]["vm"] == 1
    again = steppe(story.env, "vm", "list", "--search", first["addresses"][0]["address"], "--json")
    assert json.loads(again.stdout) == []


def killing_the_supervisor_leaves_no_children_and_the_next_start_works(story: Story) -> None:
    up = story.ups[-1]
    assert up.process.poll() is None
    children = [p for p in alive(story.state) if p != up.process.pid and p not in servers(story.state)]
    assert len(children) >= 3, "web server, its worker process, and the worker"
    os.kill(up.process.pid, signal.SIGKILL)
    up.process.wait(10)
    until(lambda: set(alive(story.state)) <= servers(story.state), "the children to end")

    again = story.up()
    again.wait()
    made = story.json("vm", "create", "after-the-kill", *ASK, "--wait", "--json")
    assert made["state"] == "running"
    assert story.machines() == 293
    assert again.stop() == 0
    assert alive(story.state) == []


ASK = (
    *("--department", "env-protection", "--system", "env-noise"),
    *("--vcpu", "1", "--memory-mib", "512", "--disk-gib", "20"),
    *("--image", "openeuler-22.03", "--subnet", "nm-public-v4"),
)


def all_vms(story: Story) -> list[Any]:
    return story.json("vm", "list", "--limit", "500", "--json")


def servers(state: Path) -> set[int]:
    """Return the processes of the embedded database: they outlive a killed supervisor until the next user leaves."""
    first = postmaster(state)
    if first is None:
        return set()
    children = Path(f"/proc/{first}/task/{first}/children")
    return {first, *map(int, children.read_text().split())}
