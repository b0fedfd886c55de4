"""What a provider's word about somebody means here: who it is, and which one role that gives."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from controlplane.oidc.configuration import Configuration, Grant
from controlplane.oidc.refusals import NoRole, NoSuchDepartment, SeveralRoles, TwoPowers
from controlplane.policy import ADMINISTRATORS, OF_DEPARTMENTS

Claims = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Vouched:
    """Somebody whom a provider knows: for good by `subject`, for now by the user name `login`, which may be empty.

    `second_factor`: it was shown to the provider.
    """

    issuer: str
    subject: str
    login: str
    name: str
    second_factor: bool


def vouched(configuration: Configuration, claims: Claims) -> Vouched:
    """Return whom verified claims speak of."""
    login, name = (_text(_claim(claims, c)) for c in (configuration.claims.user, configuration.claims.name))
    shown = {*_texts(claims.get("amr")), *_texts(claims.get("acr"))}
    return Vouched(configuration.issuer, str(claims["sub"]), login, name or login, bool(shown & configuration.vouching))


def granted(configuration: Configuration, claims: Claims) -> Grant:
    """Return the one role that the claims give. Raises NoRole, TwoPowers, SeveralRoles, NoSuchDepartment."""
    values = _texts(_claim(claims, configuration.claims.roles))
    found = {configuration.grants[value] for value in values if value in configuration.grants}
    roles = sorted({grant.role for grant in found})
    if len(ADMINISTRATORS.intersection(roles)) > 1:
        raise TwoPowers(roles=", ".join(roles))
    whole = {_placed(configuration, claims, grant) for grant in found}
    if len(whole) > 1:
        raise SeveralRoles(roles=", ".join(sorted(_said(grant) for grant in whole)))
    if not whole:
        raise NoRole
    return whole.pop()


def missing(configuration: Configuration, claims: Claims) -> bool:
    """Tell whether the claims lack something that is asked of a provider."""
    names = configuration.claims
    return any(_claim(claims, name) is None for name in (names.user, names.name, names.roles, names.department) if name)


def _placed(configuration: Configuration, claims: Claims, grant: Grant) -> Grant:
    if grant.role not in OF_DEPARTMENTS or grant.department is not None:
        return grant
    codes = set(_texts(_claim(claims, configuration.claims.department or "")))
    if len(codes) != 1:
        raise NoSuchDepartment(department=", ".join(sorted(codes)))
    return replace(grant, department=codes.pop())


def _said(grant: Grant) -> str:
    return f"{grant.role} ({grant.department})" if grant.department else grant.role


def _claim(claims: Claims, name: str) -> Any:
    """Return what a claim says; where none has the whole name, its dots lead into objects."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _text(value: Any) -> str:
    return value.replace("\0", "").strip() if isinstance(value, str) else ""


def _texts(value: Any) -> Iterator[str]:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str):
            yield one
