"""Words of leases: their stages and what comes next to them."""

from flask_babel import gettext as _


def stage_word(stage: str) -> str:
    """Return the name of a stage of a lease."""
    words = {
        "granted": _("Granted"),
        "warned": _("Ends soon"),
        "ended": _("Ended"),
        "stopped": _("Stopped at its end"),
        "quarantined": _("In quarantine"),
        "deleting": _("Deleted at its end"),
    }
    return str(words.get(stage, stage))


def stage_look(stage: str) -> tuple[str, str]:
    """Return the tone and the icon of a stage."""
    looks = {
        "granted": ("good", "circle-check"),
        "warned": ("wait", "clock"),
        "ended": ("wait", "hourglass"),
        "stopped": ("bad", "player-stop"),
        "quarantined": ("bad", "lock"),
        "deleting": ("bad", "trash"),
    }
    return looks.get(stage, ("idle", "tag"))


def step_word(step: str) -> str:
    """Return what comes next to a lease."""
    words = {
        "end": _("its lease ends"),
        "stop": _("it is stopped"),
        "quarantine": _("it goes into quarantine"),
        "delete": _("it is deleted"),
    }
    return str(words.get(step, step))
