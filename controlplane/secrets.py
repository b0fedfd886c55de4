"""The keys of an installation: from the environment, or made once and kept in files of their own.

One signs cookies and hides names; the others seal what must be read again, such as the secret of a second factor. No
key is ever in the database. A RADIUS server has keys of its own, derived from the sealing ones and telling nothing of
them: whoever breaks into one reads the second factors of VPN accounts, and nothing else that is sealed.
"""

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.fernet import Fernet, MultiFernet

from controlplane.settings import Settings


@dataclass(frozen=True, slots=True)
class RadiusKeys:
    """Fernet keys that RADIUS servers share with Steppe, one for each sealing key in its order, the newest first."""

    ring: tuple[str, ...] = field(default=(), repr=False)

    def seal(self, secret: str) -> str:
        """Return a secret that a RADIUS server can open, sealed with the newest key."""
        return self._opener().encrypt(secret.encode()).decode()

    def reseal(self, sealed: str) -> str:
        """Return the same secret sealed with the newest key. Raises InvalidToken where none of the keys opens it."""
        return self._opener().rotate(sealed.encode()).decode()

    def file(self) -> str:
        """Return the text of a RADIUS server's key ring: a key a line."""
        return "".join(f"{key}\n" for key in self.ring)

    def _opener(self) -> MultiFernet:
        return MultiFernet([Fernet(key) for key in self.ring])


@dataclass(frozen=True, slots=True)
class Keys:
    """`sealing` seals with its first key and opens with any, so that keys can be rotated; `naming` hides names.

    `radius` seals what a RADIUS server must read.
    """

    sealing: MultiFernet
    naming: bytes
    radius: RadiusKeys = RadiusKeys()

    def hidden(self, name: str) -> bytes:
        """Return what stands for a name where the name itself must not: nobody without the key can try names."""
        return hmac.digest(self.naming, name.encode("utf-8", "surrogatepass"), "sha256")

    def vouched(self, text: str) -> str:
        """Return what shows that a text was made here, in hex; by another key than `hidden`, which the trail quotes."""
        return hmac.digest(self.signing("vouched"), text.encode("utf-8", "surrogatepass"), "sha256").hex()

    def signing(self, purpose: str) -> bytes:
        """Return a key that signs for one purpose alone."""
        return hmac.digest(self.naming, purpose.encode(), "sha512")


def keys(settings: Settings) -> Keys:
    """Return the keys of an installation; all its processes must share them. Raises ValueError for one that is none."""
    sealing = settings.sealing_keys or _kept(
        settings.state_dir / "sealing.keys", lambda: Fernet.generate_key().decode()
    )
    ring = [key.strip() for key in sealing.replace("\n", ",").split(",") if key.strip()]
    naming = hashlib.sha256(b"names:" + secret_key(settings).encode()).digest()
    return Keys(MultiFernet([Fernet(key) for key in ring]), naming, radius_keys(ring))


def radius_keys(sealing: Sequence[str]) -> RadiusKeys:
    """Return what RADIUS servers have instead of these sealing keys."""
    derived = (hmac.digest(base64.urlsafe_b64decode(key), b"steppe: for RADIUS", "sha256") for key in sealing)
    return RadiusKeys(tuple(base64.urlsafe_b64encode(key).decode() for key in derived))


def secret_key(settings: Settings) -> str:
    """Return the key that signs cookies; all web processes of an installation must share it."""
    return settings.secret_key or _kept(settings.state_dir / "secret.key", lambda: secrets.token_hex(32))


def _kept(path: Path, made: Callable[[], str]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:  # noqa: PTH123
        file.write(made())
    try:
        # A link is made or refused whole: of two processes that start together, both read the key of one.
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return path.read_text()
