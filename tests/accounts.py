"""Accounts for tests: programs with tokens, and people who have done all that the first sign-in wants of them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from cryptography.fernet import Fernet, MultiFernet
from sqlalchemy.orm import Session

from controlplane import sign_ins
from controlplane.actor import Role
from controlplane.entrance import Entrance, Places, Rules, rules
from controlplane.policy import ADMINISTRATORS
from controlplane.secrets import Keys, radius_keys
from controlplane.services import api_tokens, users
from controlplane.services.api_tokens import NewToken
from controlplane.services.users import NewUser
from controlplane.settings import Settings
from tests.people import OPERATOR

RULES: Rules = rules(Settings())
_SEALING = Fernet.generate_key()
KEYS = Keys(MultiFernet([Fernet(_SEALING)]), b"names", radius_keys([_SEALING.decode()]))
TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def entrance(of: Rules = RULES, keys: Keys = KEYS) -> Entrance:
    """Return an entrance with rules of the test's own."""
    return Entrance(of, keys, Places(64))


def token_of(session: Session, name: str, role: Role, department: str | None = None, days: int = 30) -> str:
    """Make a program's account of this name, and return the secret of a token of it."""
    users.create(session, OPERATOR, NewUser(name, name, role, department, service=True))
    new = NewToken("token", name, expires_at=datetime.now(UTC) + timedelta(days=days))
    return api_tokens.create(session, OPERATOR, RULES, new, datetime.now(UTC))[1]


@dataclass
class Person:
    """Somebody who can sign in: with `password`, and where asked for it with one of `codes`, each good once."""

    username: str
    password: str
    codes: list[str] = field(default_factory=list)


def person(session: Session, new: NewUser, keys: Keys = KEYS, now: datetime | None = None) -> Person:
    """Make somebody whose first sign-in is behind him: administrators have a second factor."""
    made, password = users.create(session, OPERATOR, new)
    assert password
    known = Person(made.username, password)
    now = now or datetime.now(UTC)
    made.must_change_password, made.password_changed_at, made.last_active_at = False, now, now
    if made.role in ADMINISTRATORS:
        made.totp_secret, made.totp_enrolled_at = keys.sealing.encrypt(TOTP_SECRET.encode()), now
        known.codes = [uuid4().hex[:16] for _ in range(40)]
        made.recovery_hashes = [sign_ins.digest(code).hex() for code in known.codes]
    session.flush()
    return known
