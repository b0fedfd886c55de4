"""What submitting a draft would do, in words: what is held, and who has to approve it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from controlplane.errors import Refusal
from controlplane.services import asking
from web.console import impact
from web.console.impact import ORDER, Refused
from web.context import actor, session
from web.words import amount_words, class_word, role_word


@dataclass(frozen=True, slots=True)
class Step:
    """An approval that would be needed, with the rules that say so."""

    stage: int
    role: str
    rule: str
    hours: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be held, by class; without steps nobody has to approve. Or `refused`, why it would not be taken."""

    held: Sequence[tuple[str, str]] = ()
    steps: Sequence[Step] = ()
    refused: Refused | None = None


def of(asked: Any, rule_words: Callable[[str], str]) -> Preview:
    """Return what submitting a request that is not empty would do."""
    try:
        seen = asking.preview(session(), actor(), asked.id)
    except Refusal as refusal:
        return Preview(refused=impact.refused(refusal))
    return Preview(
        held(seen.understood.hold),
        [Step(s.stage, role_word(s.role), rule_words(s.rule), s.hours) for s in seen.steps],
    )


def held(amounts: Any) -> list[tuple[str, str]]:
    """Return amounts by class in words, in the order in which classes are shown."""
    classes = (*(c for c in ORDER if c in amounts), *sorted(amounts.keys() - set(ORDER)))
    return [(class_word(c), amount_words(c, amounts[c])) for c in classes]
