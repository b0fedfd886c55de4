"""What is set up of an identity provider: complete and sound, or told with all that is wrong of it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from controlplane.actor import Role
from controlplane.policy import OF_DEPARTMENTS, ROLES
from controlplane.settings import Settings

_NEEDED = ("oidc_issuer", "oidc_client_id", "oidc_roles")
_SECRET = ("oidc_client_secret", "oidc_client_secret_file")


@dataclass(frozen=True, slots=True)
class Grant:
    """A role, for department roles with the department's code; `department` None there: a claim names it."""

    role: Role
    department: str | None = None


@dataclass(frozen=True, slots=True)
class ClaimNames:
    """Which claim carries what. A name may lead into an object, by dots."""

    user: str
    name: str
    roles: str
    department: str | None


@dataclass(frozen=True, slots=True)
class Configuration:
    """An identity provider that people may come through.

    `grants`: what a value of the roles' claim gives. `vouching`: the values of `amr` and `acr` that stand for a second
    factor. `provision`: whoever has a role gets an account at the first sign-in.
    """

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: str
    claims: ClaimNames
    grants: Mapping[str, Grant]
    vouching: frozenset[str]
    provision: bool
    label: str
    ca_file: Path | None


class Misconfigured(Exception):
    """The settings of the identity provider are incomplete or wrong; the message names each of them."""


def configuration(settings: Settings) -> Configuration | None:
    """Return what the settings say, None where they speak of no provider. Raises Misconfigured."""
    if not any(getattr(settings, name) for name in (*_NEEDED, *_SECRET)):
        return None
    problems = list(_problems(settings))
    if problems:
        raise Misconfigured("; ".join(problems))
    return Configuration(
        issuer=settings.oidc_issuer or "",
        client_id=settings.oidc_client_id or "",
        client_secret=_secret(settings),
        scopes=" ".join(dict.fromkeys(("openid", *settings.oidc_scopes.split()))),
        claims=ClaimNames(
            settings.oidc_user_claim,
            settings.oidc_name_claim,
            settings.oidc_roles_claim,
            settings.oidc_department_claim,
        ),
        grants=dict(_grants(settings.oidc_roles)),
        vouching=frozenset(value.strip() for value in settings.oidc_mfa.split(",") if value.strip()),
        provision=settings.oidc_provision,
        label=settings.oidc_label,
        ca_file=settings.oidc_ca_file,
    )


def is_safe(url: object) -> bool:
    """Tell whether what goes to an address can be read and changed by nobody on the way: HTTPS, or this very host."""
    if not isinstance(url, str):
        return False
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(host)
    try:
        return parts.scheme == "http" and (host == "localhost" or ip_address(host).is_loopback)
    except ValueError:
        return False


def _problems(settings: Settings) -> Iterator[str]:
    for name in _NEEDED:
        if not getattr(settings, name):
            yield f"{_variable(name)} is not set"
    if not any(getattr(settings, name) for name in _SECRET):
        yield f"neither {' nor '.join(map(_variable, _SECRET))} is set"
    issuer = settings.oidc_issuer
    if issuer and not is_safe(issuer):
        yield f"STEPPE_OIDC_ISSUER {issuer!r} must be an https:// address (http:// on this host alone)"
    elif issuer and (urlsplit(issuer).query or urlsplit(issuer).fragment):
        yield f"STEPPE_OIDC_ISSUER {issuer!r} must have no query and no fragment"
    for name in ("oidc_client_secret_file", "oidc_ca_file"):
        path: Path | None = getattr(settings, name)
        if path and not path.is_file():
            yield f"{_variable(name)}: there is no file {path}"
    try:
        grants = dict(_grants(settings.oidc_roles))
    except ValueError as error:
        yield f"STEPPE_OIDC_ROLES: {error}"
        return
    if not settings.oidc_department_claim:
        for value, grant in grants.items():
            if grant.role in OF_DEPARTMENTS and grant.department is None:
                yield f"STEPPE_OIDC_ROLES: {value}={grant.role} needs @DEPARTMENT or STEPPE_OIDC_DEPARTMENT_CLAIM"


def _grants(written: str) -> Iterator[tuple[str, Grant]]:
    """Yield what each value gives. Raises ValueError."""
    seen: set[str] = set()
    for part in filter(None, map(str.strip, re.split("[;\n]", written))):
        # Values may hold "=", as names of directories do; roles and codes never.
        value, _, given = part.rpartition("=")
        role, _, department = (word.strip() for word in given.partition("@"))
        known: Role | None = next((r for r in ROLES if r == role), None)
        if not value.strip() or known is None:
            raise ValueError(f"{part!r} is not VALUE=ROLE or VALUE=ROLE@DEPARTMENT; roles are {', '.join(ROLES)}")
        if department and known not in OF_DEPARTMENTS:
            raise ValueError(f"{part!r}: {role} is of no department")
        if value.strip() in seen:
            raise ValueError(f"{value.strip()!r} is given twice")
        seen.add(value.strip())
        yield value.strip(), Grant(known, department or None)


def _secret(settings: Settings) -> str:
    if settings.oidc_client_secret_file:
        return settings.oidc_client_secret_file.read_text(encoding="utf-8").strip()
    return settings.oidc_client_secret or ""


def _variable(name: str) -> str:
    return f"STEPPE_{name.upper()}"
