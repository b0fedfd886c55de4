"""Which language a page is in: what was chosen, else what the browser prefers, else Chinese."""

from pathlib import Path

from flask import Flask, g, request, session
from flask_babel import Babel

LANGUAGES = ("zh", "en")


def init_app(app: Flask) -> None:
    """Translate `app`."""
    app.config["BABEL_DEFAULT_LOCALE"] = LANGUAGES[0]
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(Path(__file__).parent / "translations")
    Babel(app, locale_selector=language)


def language() -> str:
    """Return the language of this request's reader."""
    chosen = g.get("language") or session.get("language")
    return chosen if chosen in LANGUAGES else request.accept_languages.best_match(LANGUAGES) or LANGUAGES[0]


def speak(wanted: str) -> None:
    """Answer this one request in a language, whatever was chosen before; an unknown language is passed over."""
    if wanted in LANGUAGES:
        g.language = wanted


def choose(wanted: str) -> None:
    """Remember the reader's choice; an unknown language is passed over."""
    if wanted in LANGUAGES:
        session["language"] = wanted
