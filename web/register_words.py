"""Words for the states of requests and of their approvals, each with the tone and the icon that go with it."""

from flask_babel import gettext as _

Told = tuple[str, str, str]
"""A word, a tone of parts/badge.html and an icon."""


def request_state(state: str) -> Told:
    """Return how a state of a request is told."""
    words: dict[str, Told] = {
        "draft": (_("Draft"), "idle", "edit"),
        "submitted": (_("Awaiting decision"), "wait", "clock"),
        "in_review": (_("In review"), "wait", "clock"),
        "approved": (_("Approved"), "good", "circle-check"),
        "fulfilling": (_("Being carried out"), "busy", "loader"),
        "done": (_("Done"), "good", "check"),
        "returned": (_("Returned"), "wait", "arrow-back-up"),
        "refused": (_("Turned down"), "bad", "circle-x"),
        "withdrawn": (_("Withdrawn"), "idle", "circle-minus"),
        "expired": (_("Expired"), "idle", "hourglass"),
    }
    return words.get(state, (state, "idle", "circle-dashed"))


def approval_state(state: str) -> Told:
    """Return how a state of an approval is told."""
    words: dict[str, Told] = {
        "waiting": (_("Not begun"), "idle", "circle-dashed"),
        "open": (_("Awaiting decision"), "wait", "clock"),
        "approved": (_("Approved"), "good", "circle-check"),
        "returned": (_("Returned"), "wait", "arrow-back-up"),
        "refused": (_("Turned down"), "bad", "circle-x"),
        "dropped": (_("No longer needed"), "idle", "circle-minus"),
    }
    return words.get(state, (state, "idle", "circle-dashed"))


def request_kind(kind: str) -> str:
    """Return the name of what a request asks for."""
    words = {"vm": _("Virtual machine"), "quota": _("Quota"), "mixed": _("Several things")}
    return str(words.get(kind, kind))
