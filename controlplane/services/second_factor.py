"""The second factor: a code of the moment (TOTP, RFC 6238) from somebody's own device, or a recovery code, good once.

Codes are tried under the same count as passwords (`count`, committed first), so nobody guesses them either.
"""

import hmac
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import pyotp
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from controlplane import audit, sign_ins
from controlplane.actor import Actor
from controlplane.entrance import Arrival, Entrance
from controlplane.errors import NotNow, WrongCode
from controlplane.models import SignIn, User
from controlplane.policy import authorize
from controlplane.sign_ins import Admitted, Way

RECOVERY_CODES = 10
_STEP_SECONDS = 30
_DRIFT = (0, -1, 1)
_CODE_LENGTH = 6


def count(session: Session, entrance: Entrance, sign_in: UUID, arrival: Arrival) -> None:
    """Count a try of a code. To be committed before it is judged. Raises SignInLocked."""
    sign_ins.count(session, entrance, _user_of(session, sign_in).username, arrival)


def prove(session: Session, entrance: Entrance, sign_in: UUID, code: str, arrival: Arrival) -> Admitted | None:
    """Let a session in whose user shows a right code, None for a wrong one. Either way the caller commits."""
    opened = session.get_one(SignIn, sign_in)
    user = _user_of(session, sign_in)
    plain = _plain(code)
    used = (
        _use_recovery(session, user, plain)
        if len(plain) > _CODE_LENGTH
        else _use_code(session, entrance, user, plain, arrival.now)
    )
    how = "recovery_code" if len(plain) > _CODE_LENGTH else "totp"
    if not used:
        sign_ins.said(session, user, arrival, {"with": how}, failed=True)
        return None
    opened.second_factor_at = arrival.now
    came = Way(opened.issuer).said() if opened.issuer else {}
    mark = sign_ins.complete(session, entrance, opened, arrival, {**came, "with": how})
    return replace(sign_ins.rotate(session, opened), mark=mark)


def offered(session: Session, entrance: Entrance, actor: Actor, issuer: str) -> tuple[str, str]:
    """Return the secret that a user is to enter into a device, and the same as an otpauth address for a QR code.

    It is made at the first time and stays until a code confirms it. Raises NotNow where a second factor is set up.
    """
    user = _locked(session, actor)
    if user.totp_enrolled_at is not None:
        raise NotNow(name=user.username, state="protected", verb="enrol", when="without a second factor")
    if user.totp_secret is None:
        user.totp_secret = entrance.keys.sealing.encrypt(pyotp.random_base32().encode())
        session.flush()
    secret = _secret(entrance, user)
    return secret, pyotp.TOTP(secret).provisioning_uri(name=user.username, issuer_name=issuer)


def enrol(session: Session, entrance: Entrance, actor: Actor, sign_in: UUID, code: str, now: datetime) -> list[str]:
    """Set the offered second factor up, proved by a code of it; return the recovery codes, shown this once.

    Raises WrongCode, NotNow.
    """
    user = _locked(session, actor)
    if user.totp_enrolled_at is not None or user.totp_secret is None:
        raise NotNow(name=user.username, state="protected", verb="enrol", when="without a second factor")
    if not _use_code(session, entrance, user, _plain(code), now):
        raise WrongCode
    sign_ins.forgive(session, entrance, user.username, Arrival(now=now), all_of_them=False)
    user.totp_enrolled_at = now
    session.get_one(SignIn, sign_in).second_factor_at = now
    codes = _new_codes(session, user)
    _record(session, actor, user, "enrol_second_factor")
    return codes


def renew_codes(session: Session, entrance: Entrance, actor: Actor, code: str, now: datetime) -> list[str]:
    """Replace the recovery codes, proved by a code of the moment; return the new ones. Raises WrongCode."""
    user = _proved(session, entrance, actor, code, now)
    codes = _new_codes(session, user)
    _record(session, actor, user, "renew_recovery_codes")
    return codes


def give_up(session: Session, entrance: Entrance, actor: Actor, code: str, now: datetime) -> None:
    """Take one's own second factor away, to set up another, proved by a code of the present one. Raises WrongCode."""
    user = _proved(session, entrance, actor, code, now)
    user.totp_secret = user.totp_enrolled_at = user.totp_last_counter = None
    user.recovery_hashes = []
    user.version += 1
    _record(session, actor, user, "give_up_second_factor")


def reseal(session: Session, actor: Actor, entrance: Entrance) -> int:
    """Seal every second factor with the newest key, so that older ones can be dropped; return how many there are."""
    authorize(actor, "role.grant")
    sealed = session.scalars(select(User).where(User.totp_secret.is_not(None)).with_for_update()).all()
    for user in sealed:
        user.totp_secret = entrance.keys.sealing.rotate(user.totp_secret or b"")
    session.flush()
    act = audit.Act("user.reseal", "installation", sign_ins.NOBODY, "second factors", None, {"count": len(sealed)})
    audit.record(session, actor, [act])
    return len(sealed)


def code_at(secret: str, now: datetime) -> str:
    """Return the code that a device with this secret shows at an instant."""
    return pyotp.HOTP(secret).at(int(now.timestamp()) // _STEP_SECONDS)


def _proved(session: Session, entrance: Entrance, actor: Actor, code: str, now: datetime) -> User:
    user = _locked(session, actor)
    if user.totp_enrolled_at is None or not _use_code(session, entrance, user, _plain(code), now):
        raise WrongCode
    sign_ins.forgive(session, entrance, user.username, Arrival(now=now), all_of_them=False)
    return user


def _use_code(session: Session, entrance: Entrance, user: User, code: str, now: datetime) -> bool:
    """Tell whether a code is one of these moments, and use it up: of two at once, one is told so."""
    if user.totp_secret is None or len(code) != _CODE_LENGTH:
        return False
    moment = int(now.timestamp()) // _STEP_SECONDS
    hotp = pyotp.HOTP(_secret(entrance, user))
    shown = [moment + off for off in _DRIFT if hmac.compare_digest(hotp.at(moment + off).encode(), code.encode())]
    if not shown:
        return False
    using = update(User).where(User.id == user.id, func.coalesce(User.totp_last_counter, -1) < shown[0])
    used = session.scalar(using.values(totp_last_counter=shown[0]).returning(User.id))
    return used is not None


def _use_recovery(session: Session, user: User, code: str) -> bool:
    kept = sign_ins.digest(code).hex()
    using = update(User).where(User.id == user.id, User.recovery_hashes.contains([kept]))
    values = {"recovery_hashes": func.array_remove(User.recovery_hashes, kept)}
    return session.scalar(using.values(values).returning(User.id)) is not None


def _new_codes(session: Session, user: User) -> list[str]:
    codes = [pyotp.random_base32(32)[:16].lower() for _ in range(RECOVERY_CODES)]
    user.recovery_hashes = [sign_ins.digest(code).hex() for code in codes]
    user.version += 1
    session.flush()
    return ["-".join(code[i : i + 4] for i in range(0, len(code), 4)) for code in codes]


def _secret(entrance: Entrance, user: User) -> str:
    return entrance.keys.sealing.decrypt(user.totp_secret or b"").decode()


def _plain(code: str) -> str:
    return "".join(c for c in code.lower() if c.isalnum())


def _user_of(session: Session, sign_in: UUID) -> User:
    return session.scalars(select(User).join(SignIn).where(SignIn.id == sign_in)).one()


def _locked(session: Session, actor: Actor) -> User:
    statement = select(User).where(User.id == actor.user).with_for_update()
    return session.scalars(statement.execution_options(populate_existing=True)).one()


def _record(session: Session, actor: Actor, user: User, verb: str) -> None:
    session.flush()
    audit.record(session, actor, [audit.Act(f"user.{verb}", "user", user.id, user.username, user.department_id)])
