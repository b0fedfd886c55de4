"""VPN accounts as people ask for them: with persons in clear, and user names that a department's rule may make."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from controlplane import lookups, persons
from controlplane.actor import Actor
from controlplane.errors import Invalid, Refusal, RowsRefused
from controlplane.kinds.vpn_account import Code, MaxSessions, SealedPerson, Username, VpnAccountSpec
from controlplane.models import VpnGroup
from controlplane.persons import Person
from controlplane.secrets import Keys

KIND = "vpn_account"
Rule = Annotated[str, StringConstraints(pattern=r"^([a-z0-9._-]|\{number\}|\{department\})+$", max_length=80)]
"""A user name in which {number} and {department} stand for the person's number and the department's code."""

_USERNAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?")


class VpnAccountRow(BaseModel):
    """A VPN account as it is asked for. Who it is for is sealed before it is kept anywhere."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    username: Username | None = Field(
        default=None, description="left out where the department has a rule that makes it"
    )
    person: Person
    system: Code | None = Field(
        default=None, description="the one system that it reaches; without one, all of the department"
    )
    gateway: Code | None = Field(default=None, description="code of the gateway; without one, whichever has room")
    max_sessions: MaxSessions = 1
    lease_until: AwareDatetime | None = Field(default=None, description="until when it is good")


def specs(
    session: Session, actor: Actor, keys: Keys, department: str | UUID, rows: Sequence[VpnAccountRow]
) -> list[VpnAccountSpec]:
    """Return what rows ask for, each person sealed and each user name made.

    Raises NotFound for the department; RowsRefused where rows have no user name, or another one than the rule makes,
    or the refusal itself where there is one row.
    """
    make = maker(session, actor, keys, department)
    asked: list[VpnAccountSpec] = []
    problems: list[tuple[int, Refusal]] = []
    for place, row in enumerate(rows):
        try:
            asked.append(make(row))
        except Refusal as refusal:
            problems.append((place, refusal))
    if problems:
        raise problems[0][1] if len(rows) == 1 else RowsRefused(problems)
    return asked


def sealed_items(
    session: Session, actor: Actor, keys: Keys, department: str | UUID, items: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Return the items of a request, as `asks.items` keeps them, with the persons in them sealed.

    Raises NotFound for the department; RowsRefused, naming items by their place, or the refusal itself of a lone item.
    """
    places = [n for n, item in enumerate(items) if isinstance(item, Mapping) and _is_account(item)]
    rows: dict[int, VpnAccountRow] = {}
    problems: list[tuple[int, Refusal]] = []
    for place in places:
        try:
            rows[place] = VpnAccountRow.model_validate(items[place].get("spec"))
        except ValidationError as error:
            problem = error.errors()[0]
            field = ".".join(("spec", *map(str, problem["loc"])))
            problems.append((place, Invalid(field=field, reason=problem["msg"])))
    if rows and not problems:
        try:
            made = specs(session, actor, keys, department, list(rows.values()))
            sealed = dict(zip(rows, (spec.model_dump(mode="json", exclude_unset=True) for spec in made), strict=True))
            return [{**item, "spec": sealed[n]} if n in sealed else item for n, item in enumerate(items)]
        except RowsRefused as refused:
            problems = [(list(rows)[row], problem) for row, problem in refused.problems]
    if problems:
        raise problems[0][1] if len(items) == 1 else RowsRefused(problems)
    return list(items)


def _is_account(item: Mapping[str, Any]) -> bool:
    return item.get("do") == "create" and item.get("kind") == KIND


def maker(
    session: Session, actor: Actor, keys: Keys, department: str | UUID
) -> Callable[[VpnAccountRow], VpnAccountSpec]:
    """Return what makes of one row of a department what it asks for; it raises Invalid. Raises Forbidden, NotFound."""
    of = lookups.department_for(session, actor, department, "resource.create")
    rules = session.scalars(
        select(VpnGroup.username_rule).where(VpnGroup.department_id == of.id, VpnGroup.system_id.is_(None)).distinct()
    ).all()
    rule = rules[0] if len(rules) == 1 else None
    return lambda row: _spec(keys, row, _username(row, rule, of.code))


def _spec(keys: Keys, row: VpnAccountRow, username: str) -> VpnAccountSpec:
    plain = {name: getattr(row, name) for name in row.model_fields_set - {"person", "username"}}
    person = SealedPerson.model_validate(persons.sealed(keys, row.person))
    return VpnAccountSpec.model_validate({"username": username, "person": person, **plain})


def _username(row: VpnAccountRow, rule: str | None, department: str) -> str:
    if rule is None:
        if row.username is None:
            raise Invalid(field="username", reason="must be said: this department has no rule that makes one")
        return row.username
    number = row.person.number.casefold()
    made = rule.replace("{department}", department).replace("{number}", number)
    if not _USERNAME.fullmatch(made):
        raise Invalid(field="person.number", reason=f"makes {made!r}, which is no user name, by the rule {rule}")
    if row.username not in {None, made}:
        raise Invalid(field="username", reason=f"must be {made} by the department's rule {rule}, or be left out")
    return made
