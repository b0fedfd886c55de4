"""docs/notifications.md is held to its word: its receiver runs as it stands there, its table of events is whole."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from controlplane.telling.events import EVENTS
from controlplane.telling.signing import new_secret, signature

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "notifications.md").read_text()


def test_the_receiver_of_the_page_believes_steppe_and_nobody_else() -> None:
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    check, secret, old, now = names["is_from_steppe"], new_secret(), new_secret(), datetime.now(UTC)
    header = signature(b'{"a":1}', [secret, old], now)
    assert check(header, b'{"a":1}', secret) and check(header, b'{"a":1}', old)
    assert not check(header, b'{"a":2}', secret)
    assert not check(header, b'{"a":1}', new_secret())
    assert not check(signature(b"", [secret], now - timedelta(minutes=6)), b"", secret)


def test_the_page_names_every_event() -> None:
    rows = re.findall(r"^\| `([a-z_.]+)` \| `([a-z]+)` \| (.+) \|$", PAGE, re.MULTILINE)
    assert rows == [(name, event.category, event.of_use_to) for name, event in EVENTS.items()]
