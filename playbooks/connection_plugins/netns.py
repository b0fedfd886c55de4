"""Runs a host's tasks in a network namespace of this machine: how gateways are tried without a machine for each."""

import shlex

from ansible.plugins.connection.local import Connection as LocalConnection

DOCUMENTATION = """
name: netns
short_description: Tasks in a network namespace of this machine
description:
  - Like C(local), with every command in the network namespace that the host is named after.
options:
  namespace:
    description: Name of the namespace.
    type: str
    vars:
      - name: inventory_hostname
      - name: ansible_host
extends_documentation_fragment:
  - connection_pipelining
"""


class Connection(LocalConnection):
    transport = "netns"
    has_pipelining = True

    def exec_command(self, cmd, in_data=None, sudoable=True):
        inside = ["ip", "netns", "exec", self.get_option("namespace"), "/bin/sh", "-c", cmd]
        return super().exec_command(shlex.join(inside), in_data=in_data, sudoable=sudoable)
