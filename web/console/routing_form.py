"""A rule of approval in a form: its conditions and its steps, read into what the service takes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict

from controlplane.asks.routing import APPROVERS, DOES, Applies, Cost, StepOf
from controlplane.services.routing import RuleOf
from web.console.limits import FIELDS

__all__ = ("APPROVERS", "CODE", "DOES", "FIELDS", "ROWS", "Read", "kept", "of", "read", "version")

CODE = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")
ROWS = 4
"""Approvals that the form has room for where a rule does not have more of them."""
_MOST_ROWS = 9 * len(APPROVERS)
_MOST_HOURS = 2160


@dataclass(slots=True)
class Read:
    """What was read: a rule, None while `problems` (by field) are left."""

    rule: RuleOf | None = None
    problems: dict[str, str] = field(default_factory=dict)


def read(form: MultiDict[str, str]) -> Read:
    """Return the rule that a form says."""
    found = Read()
    name, name_en = form.get("name", "").strip(), form.get("name_en", "").strip()
    if not 1 <= len(name) <= 200:
        found.problems["name"] = _("Give it a name: the asker and the approver see it.")
    applies = Applies(
        do=[do for do in DOES if do in form.getlist("do")],
        kind=form.get("kind") or None,
        amounts=_amounts(form, "least", found),
        mlps_level=int(form["mlps_level"]) if form.get("mlps_level") in {"1", "2", "3", "4"} else None,
        networks=form.getlist("networks"),
        cost=_cost(form, found),
    )
    steps = _steps(form, found)
    if not found.problems:
        found.rule = RuleOf(name, name_en or name, bool(form.get("enabled")), applies, steps)
    return found


def of(rule: Any) -> MultiDict[str, str]:
    """Return the fields that say a rule."""
    applies, cost = rule.applies, rule.applies.get("cost") or {}
    form: MultiDict[str, str] = MultiDict({"name": rule.name, "name_en": rule.name_en, "kind": applies.get("kind", "")})
    form["enabled"] = "1" if rule.enabled else ""
    form["mlps_level"] = str(applies.get("mlps_level") or "")
    form.setlist("do", applies.get("do", ()))
    form.setlist("networks", applies.get("networks", ()))
    for name, (_unit, factor) in FIELDS.items():
        if name in applies.get("amounts", {}):
            form[f"least-{name}"] = f"{applies['amounts'][name] / factor:g}"
        if name in cost.get("per_month", {}):
            form[f"price-{name}"] = str(Decimal(str(cost["per_month"][name])) * factor)
    form["at_least"] = str(cost.get("at_least", ""))
    for row, step in enumerate(rule.steps, 1):
        form |= {f"{part}-{row}": str(step[part]) for part in ("role", "stage", "hours")}
    return form


def kept(rule: Any, enabled: bool) -> RuleOf:
    """Return a rule as it is, but for whether it counts."""
    steps = [StepOf.model_validate(step) for step in rule.steps]
    return RuleOf(rule.name, rule.name_en, enabled, Applies.model_validate(rule.applies), steps)


def version(form: Mapping[str, str]) -> int | None:
    """Return the version that a form was made from, if it says so."""
    text = form.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _amounts(form: Mapping[str, str], prefix: str, found: Read) -> dict[str, int]:
    amounts = {}
    for name, (_unit, factor) in FIELDS.items():
        text = form.get(f"{prefix}-{name}", "").strip()
        if text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= 1:
            amounts[name] = int(text) * factor
        elif text:
            found.problems[f"{prefix}-{name}"] = _("A whole number, 1 or more")
    return amounts


def _cost(form: Mapping[str, str], found: Read) -> Cost | None:
    at_least = _money(form, "at_least", found)
    prices = {name: (_money(form, f"price-{name}", found), factor) for name, (_unit, factor) in FIELDS.items()}
    per_month = {name: price / factor for name, (price, factor) in prices.items() if price is not None}
    if at_least is None and per_month:
        found.problems.setdefault("at_least", _("Say from which cost a month on the rule applies."))
    if at_least is not None and not per_month:
        found.problems["at_least"] = _("Say what one unit of at least one class costs a month.")
    return Cost(per_month=per_month, at_least=at_least) if at_least is not None and per_month else None


def _money(form: Mapping[str, str], name: str, found: Read) -> Decimal | None:
    text = form.get(name, "").strip()
    if not text:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or not 0 <= amount < 10**12:
        found.problems[name] = _("An amount of money, 0 or more")
        return None
    return amount


def _steps(form: Mapping[str, str], found: Read) -> list[StepOf]:
    steps: dict[tuple[int, str], StepOf] = {}
    for row in range(1, _MOST_ROWS + 1):
        role = form.get(f"role-{row}", "")
        if role not in APPROVERS:
            continue
        stage, hours = form.get(f"stage-{row}", "1"), form.get(f"hours-{row}", "72").strip()
        if stage not in {str(n) for n in range(1, 10)}:
            found.problems[f"stage-{row}"] = _("From 1 to 9")
        elif not (hours.isascii() and hours.isdigit() and len(hours) < 6 and 1 <= int(hours) <= _MOST_HOURS):
            found.problems[f"hours-{row}"] = _("A whole number from 1 to %(most)s", most=_MOST_HOURS)
        elif (int(stage), role) in steps:
            found.problems[f"role-{row}"] = _("This role approves in this stage already.")
        else:
            steps[int(stage), role] = StepOf(role=role, stage=int(stage), hours=int(hours))
    return list(steps.values())
