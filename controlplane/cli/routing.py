"""Commands on the rules that say who has to approve what."""

import json
from typing import IO, Any

import click
from pydantic import BaseModel
from sqlalchemy.orm import Session

from controlplane import lookups
from controlplane.asks.routing import Applies, StepOf
from controlplane.cli.output import as_json, operator, show_rows, with_session
from controlplane.errors import NotFound
from controlplane.services import routing as service
from controlplane.services.routing import RuleOf


class _RuleFile(BaseModel):
    name: str
    name_en: str
    enabled: bool = True
    applies: Applies
    steps: list[StepOf]


@click.group()
def routing() -> None:
    """Who has to approve what."""


@routing.command("list")
@as_json
@with_session
def index(session: Session, as_json: bool) -> None:
    """List all rules; what none of them applies to needs nobody's approval."""
    rows = [_row(rule) for rule in lookups.routing_rules(session, operator())]
    show_rows(rows, ("code", "name", "enabled", "applies", "steps"), as_json=as_json)


@routing.command("set")
@click.argument("code")
@click.argument("rule", type=click.File("r"))
@with_session
def set_rule(session: Session, code: str, rule: IO[str]) -> None:
    """Add the rule CODE or have it say what the JSON file RULE says (- reads it from the input)."""
    try:
        said = _RuleFile.model_validate(json.load(rule))
    except json.JSONDecodeError as error:
        raise click.BadParameter(f"is no JSON: {error}", param_hint="RULE") from error
    wanted = RuleOf(said.name, said.name_en, said.enabled, said.applies, said.steps)
    try:
        service.change(session, operator(), code, wanted)
    except NotFound:
        service.create(session, operator(), code, wanted)
    click.echo(f"rule {code} is set")


@routing.command()
@click.argument("code")
@with_session
def delete(session: Session, code: str) -> None:
    """Remove a rule; what it demanded already stays demanded."""
    service.delete(session, operator(), code)
    click.echo(f"rule {code} is removed")


def _row(rule: Any) -> dict[str, Any]:
    return {
        "code": rule.code,
        "name": rule.name,
        "enabled": rule.enabled,
        "applies": rule.applies,
        "steps": rule.steps,
    }
