"""Words of requests: their states and moves, what can be asked for, whom they wait for, what a rule demands."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flask_babel import gettext as _

from controlplane.asks.states import STATES
from web.language import language
from web.register_words import request_state


def states() -> dict[str, str]:
    """Return the names of the states of requests, in the order of their course."""
    return {state: request_state(state)[0] for state in STATES}


def verbs() -> dict[str, str]:
    """Return the names of what can be done with requests, and of what they ask of machines."""
    return {
        "submit": _("Submit"),
        "amend": _("Change"),
        "withdraw": _("Withdraw"),
        "decide": _("Decide"),
        "approve": _("Approve"),
        "return": _("Return"),
        "refuse": _("Refuse"),
        "review": _("Approve"),
        "extend": _("Extend"),
        "transfer": _("Transfer"),
    }


def conditions() -> dict[str, str]:
    """Return the words that refusals use for when something is possible, where these are no states."""
    return {
        "a draft or returned": _("a draft or returned"),
        "in review": _("In review"),
        "open": _("Awaiting decision"),
        "not decided": _("not decided"),
        "kept": _("kept"),
        "to be deleted": _("to be deleted"),
    }


def do_word(do: str) -> str:
    """Return the name of a kind of thing that a request asks for."""
    words = {
        "create": _("New machines"),
        "resize": _("Another size"),
        "extend": _("More time"),
        "transfer": _("Transfer to another department"),
        "release": _("Giving back"),
        "quota": _("Higher quota"),
    }
    return str(words.get(do, do))


def rule_words(named: Callable[[], Mapping[str, Any]]) -> Callable[[str], str]:
    """Return what puts the names of rules, as an approval keeps them, into the reader's language.

    `named` gives the rules that there are by their Chinese names; it is called where it is needed.
    """
    known: dict[str, Any] = {}

    def words(kept: str) -> str:
        if language() == "en" and not known:
            known.update(named())
        return str(_("; ").join(_rule(part, known) for part in kept.split("; ")))

    return words


def _rule(kept: str, known: Mapping[str, Any]) -> str:
    chinese, slash, english = kept.partition(" / ")
    if slash:
        return english if language() == "en" else chinese
    rule = known.get(kept)
    return str(rule.name_en or rule.name) if rule is not None else kept


def several(names: Sequence[str]) -> str:
    """Return a few names in full, of many the first and the last."""
    return str(_(", ").join(names)) if len(names) <= 3 else f"{names[0]} … {names[-1]}"
