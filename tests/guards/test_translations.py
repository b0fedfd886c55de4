"""The console speaks Chinese first: no text may reach a page without its translation."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = ("zh", "en")
PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]|\{(\w+)[^}]*\}")


def catalogue(language: str) -> Catalog:
    with (ROOT / f"web/translations/{language}/LC_MESSAGES/messages.po").open("rb") as file:
        return read_po(file, locale=language)


def forms(text: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the singular and the plurals of a text, if it has any."""
    return (text,) if isinstance(text, str) else tuple(text or ())


@pytest.fixture(scope="module")
def wanted() -> set[str]:
    with (ROOT / "babel.cfg").open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file, filename="babel.cfg")

    def found() -> Iterator[str]:
        for room in ("web", "controlplane"):
            mapping = [
                (pattern.removeprefix(f"{room}/"), method)
                for pattern, method in methods
                if pattern.startswith(f"{room}/")
            ]
            wishes = {pattern.removeprefix(f"{room}/"): wish for pattern, wish in options.items()}
            for _, _, message, _, _ in extract_from_dir(ROOT / room, mapping, wishes):
                yield forms(message)[0]

    return set(found())


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_catalogue_has_just_the_texts_of_the_code(language: str, wanted: set[str]) -> None:
    recorded = {forms(message.id)[0] for message in catalogue(language) if message.id}
    assert recorded == wanted, "run `make translations`, then translate what is new"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_catalogue_is_not_marked_as_a_guess_as_such_are_not_compiled(language: str) -> None:
    assert not catalogue(language).fuzzy


def test_every_text_is_translated_into_chinese() -> None:
    missing = [m.id for m in catalogue("zh") if m.id and (m.fuzzy or not m.string or not all(forms(m.string)))]
    assert not missing


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_catalogue_is_marked_as_unfinished_which_would_keep_it_from_being_compiled(language: str) -> None:
    assert not catalogue(language).fuzzy


def test_a_translation_keeps_the_placeholders_of_its_text() -> None:
    def names(text: str) -> set[str]:
        return {a or b for a, b in PLACEHOLDER.findall(text)}

    wrong = [
        m.id
        for m in catalogue("zh")
        if m.id and any(not names(form) <= names(forms(m.id)[-1]) for form in forms(m.string))
    ]
    assert not wrong
