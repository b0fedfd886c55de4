"""The page on which the console of a virtual machine is open."""

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, g, render_template, url_for
from flask_babel import gettext as _

from controlplane import lookups
from controlplane.policy import allows
from controlplane.services import consoles
from web.context import actor, console_url, session


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/vms/<uuid:ref>/console", "vm_console", show)


def show(ref: Any) -> str:
    """Open the console of a VM"""
    vm = lookups.resource_for(session(), actor(), consoles.KIND, ref, "resource.change")
    address = urlsplit(console_url())
    # This page alone talks to a second port; a source without a path allows all paths of it.
    g.more_content_security = f"; connect-src 'self' {address.scheme}://{address.netloc}"
    return render_template("vm_console.html", vm=vm, words=_words())


def console_page(vm: Any) -> str | None:
    """Return the address of a VM's console page, None where there is none to be opened by the reader now."""
    possible = vm.desired == "present" and vm.state in consoles.OPEN_IN and allows(actor(), "resource.change")
    return url_for("console.vm_console", ref=vm.id) if possible else None


def _words() -> dict[str, str]:
    """Return what the page says of each way in which a session goes or ends."""
    return {
        "connecting": _("Connecting …"),
        "open": _("Connected."),
        "simulated": _("Connected to a simulated console: there is no real machine behind it."),
        "left": _("The console was closed."),
        "stopping": _("Steppe is being restarted. Connect again in a moment."),
        "error": _("An error in Steppe itself ended the console."),
        "full": _("Too many consoles are open. Try again later."),
        "ticket": _("The permission to connect had run out. Connect again."),
        "right": _("You may no longer use this console, or its machine is off or is being deleted."),
        "none": _("This hypervisor offers no console."),
        "idle": _("The console was closed because nobody typed for a long time."),
        "too_long": _("The console was open for as long as is allowed. Connect again."),
        "gone": _("The machine was switched off or restarted. Connect again when it runs."),
        "refused": _("The hypervisor refuses: the machine is off, or somebody else has this console open."),
        "unreachable": _("The hypervisor does not answer. Try again later."),
        "lost": _("The connection to the console was lost. Connect again."),
    }
