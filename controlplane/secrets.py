"""The key that signs sign-in sessions: from the environment, or made once and kept in a file of its own."""

import os
import secrets
from pathlib import Path

from controlplane.settings import Settings


def secret_key(settings: Settings) -> str:
    """Return the key; all web processes of an installation must share it."""
    return settings.secret_key or _kept(settings.state_dir / "secret.key")


def _kept(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:  # noqa: PTH123
        file.write(secrets.token_hex(32))
    try:
        # A link is made or refused whole: of two processes that start together, both read the key of one.
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return path.read_text()
