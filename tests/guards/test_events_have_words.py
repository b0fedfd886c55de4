"""Whatever somebody is told has words in both languages."""

import re
import string
from pathlib import Path

import pytest

from controlplane.telling.events import CATEGORIES, EVENTS, Words, words

ROOT = Path(__file__).resolve().parents[2]
TOLD = re.compile(r'"((?:request|step|lease|unused|webhook)\.[a-z_]+)"')


def names(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_has_words_in_both_languages_that_fill_in_the_same(event: str) -> None:
    known = EVENTS[event]
    assert known.category in CATEGORIES and known.of_use_to
    for said in (known.zh, known.en):
        assert said.subject and said.text
        assert all(name.isidentifier() for name in names(said.subject + said.text))
    assert known.en.subject.isascii() and known.en.text.isascii()
    assert not known.zh.text.isascii()
    assert names(known.zh.text) == names(known.en.text)


def test_every_event_that_is_told_is_in_the_table() -> None:
    told = set()
    for path in (ROOT / "controlplane").rglob("*.py"):
        source = path.read_text()
        if "Notice(" in source or "notices.tell" in source:
            for line in source.splitlines():
                if re.search(r"Notice\(|telling\(|asking\(|_notice\(|event = ", line):
                    told |= set(TOLD.findall(line))
    assert len(told) > 8
    assert told <= EVENTS.keys()


def test_a_param_that_is_missing_or_empty_shows_as_a_dash() -> None:
    said = words("request.refused", {"number": 3, "title": ""}, "en")
    assert said.subject == "Refused: request 3 —"
    assert said.text.endswith("Reason: —")


def test_an_event_that_is_known_no_more_says_its_name() -> None:
    assert words("old.event", {}, "zh") == Words("old.event", "old.event")
