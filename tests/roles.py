"""What an Ansible role would write, in a hundredth of Ansible's time: its variables and its templates."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import yaml

ROLES = Path(__file__).parents[1] / "playbooks/roles"


def variables(role: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a role's variables: what is given, and its defaults, in which others may be named."""
    known = {**yaml.safe_load((ROLES / role / "defaults/main.yml").read_text()), **given}
    while named := [name for name, value in known.items() if "{{" in str(value)]:
        known |= {name: _environment(role).from_string(str(known[name])).render(known) for name in named}
    return known


def write(role: str, folder: Path, given: Mapping[str, Any]) -> None:
    """Write every template of a role into a folder."""
    environment = _environment(role)
    for name in environment.list_templates():
        text = environment.get_template(name).render(given)
        (folder / name.removesuffix(".j2")).write_text(text)


def _environment(role: str) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROLES / role / "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
