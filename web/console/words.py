"""Words and units of what the record names by code."""

from flask_babel import gettext as _


def class_word(resource_class: str) -> str:
    """Return the name of a resource class, in the reader's language."""
    words = {
        "vm": _("Virtual machines"),
        "vcpu": _("vCPU"),
        "memory_mib": _("Memory"),
        "disk_gib": _("Disk"),
    }
    return str(words.get(resource_class, resource_class))


def class_unit(resource_class: str) -> str:
    """Return the unit in which a resource class is counted."""
    units = {"vm": _("VMs"), "vcpu": _("cores"), "memory_mib": "MiB", "disk_gib": "GiB"}
    return str(units.get(resource_class, ""))


def state_word(state: str) -> str:
    """Return the name of a state of a resource."""
    words = {
        "building": _("Building"),
        "running": _("Running"),
        "stopped": _("Stopped"),
        "changing": _("Changing"),
        "deleting": _("Deleting"),
        "deleted": _("Deleted"),
        "faulted": _("Faulted"),
    }
    return str(words.get(state, state))


def verb_word(verb: str) -> str:
    """Return the name of something that can be done to a resource."""
    words = {
        "start": _("Start"),
        "stop": _("Stop"),
        "reboot": _("Reboot"),
        "retry": _("Try again"),
        "delete": _("Delete"),
    }
    return str(words.get(verb, verb))
