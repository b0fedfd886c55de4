"""What departments let in to their machines. Pools that keep departments apart follow after the commit; others enforce
none of it."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from controlplane import audit, jobs, lookups
from controlplane.actor import Actor
from controlplane.db import new_id
from controlplane.errors import Invalid, LetInAlready, TooManyRules
from controlplane.ingress import read
from controlplane.models import Department, IngressRule
from controlplane.tree import lock_tree

MOST_RULES = 100
"""Of one department."""
LONGEST_NOTE = 200


@dataclass(frozen=True, slots=True)
class NewRule:
    """Something to let in to all machines of a department: `ports` is one or a range (`8000-8080`), None for all of tcp
    or udp; `source` a network in CIDR form."""

    department: str | UUID
    protocol: str
    source: str
    ports: str | None = None
    note: str = ""


def create(session: Session, actor: Actor, new: NewRule) -> IngressRule:
    """Let something in. Raises Forbidden, NotFound, Invalid, LetInAlready, TooManyRules."""
    department = lookups.department_for(session, actor, new.department, "ingress.write", keep=True)
    rule = read(new.protocol, new.ports, new.source)
    if len(new.note) > LONGEST_NOTE:
        raise Invalid(field="note", reason=f"has {len(new.note)} characters, and may have {LONGEST_NOTE}")
    # Who writes a project just now either reads this rule, or is seen here and asked to follow.
    lock_tree(session)
    known = {one.says for one in _of(session, department)}
    if rule in known:
        raise LetInAlready(rule=str(rule), department=department.name)
    if len(known) >= MOST_RULES:
        raise TooManyRules(department=department.name, most=MOST_RULES)
    made = IngressRule(
        id=new_id(),
        department_id=department.id,
        protocol=rule.protocol,
        first_port=rule.first,
        last_port=rule.last,
        source=rule.source,
        note=new.note,
    )
    made.department = department
    session.add(made)
    _said(session, actor, made, "create")
    return made


def delete(session: Session, actor: Actor, ref: str | UUID) -> None:
    """Let something in no longer. Raises Forbidden, NotFound."""
    rule = lookups.ingress_rule_for(session, actor, ref, "ingress.write", lock=True)
    lock_tree(session)
    session.delete(rule)
    _said(session, actor, rule, "delete")


def _of(session: Session, department: Department) -> list[IngressRule]:
    return list(session.scalars(select(IngressRule).where(IngressRule.department_id == department.id)))


def _said(session: Session, actor: Actor, rule: IngressRule, verb: str) -> None:
    session.flush()
    said = {"protocol": rule.protocol, "ports": rule.says.ports, "source": rule.source, "note": rule.note}
    act = audit.Act(f"ingress_rule.{verb}", "ingress_rule", rule.id, str(rule.says), rule.department_id, said)
    audit.record(session, actor, [act])
    jobs.enqueue_follow_of_rules(session, rule.department_id, actor.trace)
