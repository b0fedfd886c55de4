"""One run of one playbook on one host; the only importer of ansible_runner.

A run has a folder of its own, which is gone with it: what Ansible wrote down of it names hosts and all that it was
given. It asks for nothing and reads nobody's configuration.
"""

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import ansible_runner

from provisioners.contract import Rejected, Unreachable

_PLAYBOOKS = Path(__file__).parents[1] / "playbooks"
_HOST = "gateway"


def run(playbook: str, host: Mapping[str, Any], given: Mapping[str, Any], folder: Path, seconds: int) -> None:
    """Run a playbook on the host that inventory variables `host` lead to, with the variables `given`.

    `folder` is where the run may keep its own for as long as it takes; `seconds` is how long that may be. Raises
    Unreachable where the host does not answer or not in time, Rejected with what a failed task had to say.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=folder) as own:
        ended = ansible_runner.run(
            private_data_dir=own,
            project_dir=str(_PLAYBOOKS),
            playbook=playbook,
            inventory={"all": {"hosts": {_HOST: dict(host)}}},
            extravars=dict(given),
            envvars=_environment(own),
            timeout=seconds,
            quiet=True,
        )
        if ended.status != "successful":
            raise _error(ended, seconds)


def _environment(own: str) -> dict[str, str]:
    # Ansible's commands are beside our Python, which need not be on the path of whoever started us.
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    return {
        "PATH": path,
        "ANSIBLE_CONFIG": str(_PLAYBOOKS / "ansible.cfg"),
        "ANSIBLE_HOME": own,
        # ansible-runner would talk to any host that answers.
        "ANSIBLE_HOST_KEY_CHECKING": "True",
    }


def _error(ended: ansible_runner.Runner, seconds: int) -> Exception:
    if ended.status == "timeout":
        return Unreachable(f"the gateway has not been set up within {seconds} s")
    for event, said in _failures(ended):
        if event == "runner_on_unreachable":
            return Unreachable(said)
        return Rejected("gateway.failed", said)
    return Rejected("gateway.failed", f"Ansible ended with {ended.rc}: {ended.stdout.read().strip()[-500:]}")


def _failures(ended: ansible_runner.Runner) -> Iterator[tuple[str, str]]:
    """Yield what went wrong, as the event's name and a sentence."""
    for event in ended.events:
        if event["event"] in ("runner_on_unreachable", "runner_on_failed"):
            data = event["event_data"]
            result = data.get("res", {})
            said = result.get("stderr") or result.get("msg") or "no reason was given"
            yield event["event"], f"{data.get('task')}: {str(said).strip()[-500:]}"
