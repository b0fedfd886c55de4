"""Calls to a cloud, of which those that change anything stand still before they are sent and once they are answered.

Where CLOUD_CALLS names a file, each call leaves a line in it.
"""

import os
from typing import Any

from provisioners import openstack_driver
from provisioners.openstack_link import Document, Link, Service
from provisioners.openstack_servers import PREFIX
from tests.chaos.traps import Point, reach

COUNTS = "CLOUD_CALLS"


class TrappedLink(Link):
    """The way to a region, with a trap at both ends of each call."""

    def _call(self, service: Service, method: str, path: str, project: str | None, **how: Any) -> Document | None:
        if COUNTS in os.environ:
            with open(os.environ[COUNTS], "a") as file:  # noqa: PTH123
                file.write(f"{service} {method} {path.split('/')[1]}\n")
        return super()._call(service, method, path, project, **how)

    def tell(
        self, service: Service, method: str, path: str, body: Document | None = None, *rest: Any, **newer: Any
    ) -> Document | None:
        what = f"{service} {method} {path.split('/')[1]}{_action(path, body)}"
        reach(Point(what, "before", ""))
        answer = super().tell(service, method, path, body, *rest, **newer)
        reach(Point(what, "after", ""))
        return answer


def trap() -> None:
    """Let every driver that is opened from now on use trapped calls."""
    openstack_driver.Link = TrappedLink  # type: ignore[misc]


def _action(path: str, body: Document | None) -> str:
    """Return what is done to a server or volume, where the address does not say it. What is written before a reboot and
    what is written after it are two."""
    if path.endswith("/action") and body:
        return f" {next(iter(body))}"
    if path.endswith("/os-volume_attachments"):
        return " attach"
    if path.endswith("/metadata") and body:
        return " metadata before a reboot" if f"{PREFIX}reboot" in body["metadata"] else " metadata"
    return ""
