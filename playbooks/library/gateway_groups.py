"""Lets a gateway have just these groups: one task for all of it, where a task for each would take minutes.

Everything is done every time, whatever was changed: a run that died half way is finished by the next one.
"""

import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: gateway_groups
short_description: Let an ocserv gateway have just these groups
options:
  rules:
    description: The firewall's rules, as nft reads them.
    type: str
    required: true
  rules_file:
    description: Where the rules are kept for the next boot.
    type: path
    required: true
  groups:
    description: What ocserv is told of each group, by its name.
    type: dict
    required: true
  folder:
    description: The folder of ocserv's groups, which must be there.
    type: path
    required: true
  occtl_socket:
    description: Where ocserv takes orders.
    type: path
    required: true
"""

OPTIONS = {"rules": "str", "rules_file": "path", "groups": "dict", "folder": "path", "occtl_socket": "path"}


def main():
    module = AnsibleModule(argument_spec={name: {"type": kind, "required": True} for name, kind in OPTIONS.items()})
    given = module.params
    folder = Path(given["folder"])
    if not folder.is_dir():
        module.fail_json(msg=f"there is no folder {folder}")
    # The firewall comes first: what is taken away is out of reach, whatever becomes of the rest.
    written = [_write(module, Path(given["rules_file"]), given["rules"])]
    module.run_command(["nft", "-f", given["rules_file"]], check_rc=True)
    written += [_write(module, folder / name, text) for name, text in given["groups"].items()]
    gone = [path for path in folder.iterdir() if path.name not in given["groups"] and not path.is_dir()]
    for path in gone:
        path.unlink()
    module.run_command(["occtl", "-s", given["occtl_socket"], "reload"], check_rc=True)
    module.exit_json(changed=any(written) or bool(gone))


def _write(module, path, text):
    """Write a file whole or not at all: ocserv reads one whenever a session begins. Return whether it was another."""
    if path.is_file() and path.read_bytes() == text.encode():
        return False
    with tempfile.NamedTemporaryFile("w", dir=module.tmpdir, delete=False, encoding="utf-8") as file:
        file.write(text)
    module.atomic_move(file.name, str(path))
    path.chmod(0o640)
    return True


if __name__ == "__main__":
    main()
