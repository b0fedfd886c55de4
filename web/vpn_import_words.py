"""Imports of VPN accounts in words: what is wrong with one, how far it is."""

from flask_babel import gettext as _

from controlplane.vpn_import.problems import Problem
from web.words import in_words


def problem_words(problem: Problem) -> str:
    """Return what is wrong, in the reader's language."""
    return str(_(problem.template)).format(**in_words(problem.values))


def step_word(state: str, step: str) -> str:
    """Return what is being done for an import just now."""
    words = {
        "sealing": _("Reading the rows and sealing the people in them"),
        "asking": _("Making the accounts") if state == "working" else _("Checking user names, quota and gateways"),
        "committing": _("Putting all of it into the record"),
    }
    return str(words.get(step) or _("Waiting for a worker"))
