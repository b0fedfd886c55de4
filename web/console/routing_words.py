"""The rules of approval in words: where one applies, and who then has to approve, in which order."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from flask_babel import format_decimal
from flask_babel import gettext as _

from web.register_words import request_kind
from web.request_words import do_word
from web.words import amount_words, class_word, level_word, role_word


def conditions(applies: Mapping[str, Any]) -> list[str]:
    """Return the conditions of a rule, all of which must hold, each a sentence."""
    found = []
    if applies.get("do"):
        found.append(_("What is asked for is: %(what)s", what=_(" or ").join(do_word(do) for do in applies["do"])))
    if applies.get("kind"):
        found.append(_("It is about: %(kind)s", kind=request_kind(applies["kind"])))
    if applies.get("amounts"):
        amounts = [f"{class_word(c)} {amount_words(c, least)}" for c, least in applies["amounts"].items()]
        found.append(_("In all at least: %(amounts)s", amounts=_(" or ").join(amounts)))
    if applies.get("mlps_level"):
        found.append(_("The system is of MLPS %(level)s or higher", level=level_word(applies["mlps_level"])))
    if applies.get("networks"):
        found.append(_("It is in one of the subnets: %(networks)s", networks=_(", ").join(applies["networks"])))
    if applies.get("cost"):
        least = format_decimal(float(applies["cost"]["at_least"]))
        found.append(_("It costs at least %(amount)s a month", amount=least))
    return found or [_("Always")]


def steps(kept: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the approvals of a rule, one sentence for each stage."""
    stages: dict[int, list[str]] = defaultdict(list)
    for step in kept:
        words = _("%(role)s, within %(hours)s hours", role=role_word(step["role"]), hours=step["hours"])
        stages[step["stage"]].append(words)
    return [
        _("Stage %(stage)s: %(who)s", stage=stage, who=_("; ").join(who)) for stage, who in sorted(stages.items())
    ] or [_("Nobody has to approve")]
