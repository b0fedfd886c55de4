"""VPN accounts as the services leave them in the database, for tests of what RADIUS makes of them."""

import base64
import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from controlplane.models import Department, Pool, Request, Resource, Site, VpnAccount, VpnGroup
from tests.factories import small_centre
from tests.people import ADMIN

PASSWORD = "TicTacToe-48-Tonnen"
CHOSEN = 'correct horse 电池 \\ "staple'
SHA = "SSHA2-512-Password"
YESCRYPT = "Crypt-Password"
_CHOSEN_HASHED = "$y$j9T$LdJMENpBABJJ3hIHjB1Bi.$Q21RExEhnmbVnB59cuSgA/fci2QIWQSQcpC/SyCvmW3"
SESSION_MINUTES = 600


def hashed(password: str) -> str:
    """Return the salted SHA-512 of a password, in the form that RADIUS reads."""
    salt = uuid4().bytes
    return base64.b64encode(hashlib.sha512(password.encode() + salt).digest() + salt).decode()


@dataclass(frozen=True)
class Account:
    """An account as a test wants it. Without a hash there is no password yet; the lease is counted from now."""

    username: str = "wang.fang"
    gateway: str = "vpn-1"
    scheme: str | None = SHA
    hash: str | None = None
    totp_secret: str | None = None
    power: str = "on"
    desired: str = "present"
    lease: timedelta | None = timedelta(days=90)
    max_sessions: int = 1

    def with_password(self, password: str = PASSWORD) -> "Account":
        return replace(self, hash=hashed(password))

    def with_chosen_password(self) -> "Account":
        return replace(self, scheme=YESCRYPT, hash=_CHOSEN_HASHED)


def gateways(session: Session) -> None:
    """Make a small centre with two gateways, at which its first department has a group each."""
    small_centre(session)
    [site] = session.scalars(select(Site))
    department = _department(session)
    for code in ("vpn-1", "vpn-2"):
        pool = Pool(
            code=code, name=code, kind="vpn_account", site_id=site.id, mlps_level=3, driver="fake", connection={}
        )
        group = VpnGroup(
            pool=pool,
            department_id=department.id,
            name=department.code,
            cidr="10.80.1.0/24",
            session_minutes=SESSION_MINUTES,
        )
        session.add(group)
    session.flush()


def make(session: Session, account: Account) -> Resource:
    """Put an account into the first department, with the resource and the request that it came of."""
    department = _department(session)
    request = Request(
        kind="vpn_account",
        department_id=department.id,
        state="done",
        items=[],
        asked_by=ADMIN.id,
        asked_by_name=ADMIN.name,
    )
    session.add(request)
    session.flush()
    resource = Resource(
        kind="vpn_account",
        name=account.username,
        department_id=department.id,
        pool_id=session.scalars(select(Pool.id).where(Pool.code == account.gateway)).one(),
        request_id=request.id,
        state="running",
        desired=account.desired,
        spec={},
        wanted={"power": account.power, "max_sessions": account.max_sessions},
        demand={},
        lease_until=account.lease and datetime.now(UTC) + account.lease,
    )
    session.add(resource)
    session.flush()
    session.add(
        VpnAccount(
            resource_id=resource.id,
            department_id=department.id,
            username=account.username,
            person="sealed",
            name_key=b"",
            number_key=b"",
            scheme=account.scheme if account.hash else None,
            hash=account.hash,
            totp_secret=account.totp_secret,
        )
    )
    session.flush()
    return resource


def _department(session: Session) -> Department:
    return session.scalars(select(Department).where(Department.code == "environment")).one()
