"""VPN gateways, groups and accounts of a model centre, through the services: an ask a department."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from controlplane import lookups, vpn_rows
from controlplane.actor import Actor
from controlplane.centre.data_files import Model
from controlplane.centre.people import people
from controlplane.db import Sessions, transaction
from controlplane.models import Resource, VpnGroup
from controlplane.secrets import Keys
from controlplane.services import requests, vpn_groups
from controlplane.services.vpn_groups import NewGroup

KIND = "vpn_account"
RULE = "{department}.{number}"


def load(sessions: Sessions, actor: Actor, keys: Keys, model: Model, tell: Any) -> None:
    """Open a group for each department of a model and give it its accounts; what is there already stays."""
    done, total = 0, sum(row["accounts"] for row in model.groups)
    for seed, row in enumerate(model.groups):
        with transaction(sessions) as session:
            _open(session, actor, row)
            _ask(session, actor, keys, row, seed)
        done += row["accounts"]
        tell("vpn accounts", done, total)


def _open(session: Session, actor: Actor, row: dict[str, Any]) -> None:
    department = lookups.department_for(session, actor, row["department"], "pool.write")
    if session.scalar(select(VpnGroup.id).where(VpnGroup.department_id == department.id)) is None:
        more = {"username_rule": RULE}
        networks, prefix = row["networks"], row["prefix"]
        new = NewGroup(row["gateway"], row["department"], prefix=prefix, networks=networks, more=more)
        vpn_groups.create(session, actor, new)


def _ask(session: Session, actor: Actor, keys: Keys, row: dict[str, Any], seed: int) -> None:
    department = lookups.department_for(session, actor, row["department"], "resource.create")
    of = (Resource.department_id == department.id) & (Resource.kind == KIND)
    if session.scalar(select(func.count()).where(of)):
        return
    rows = [vpn_rows.VpnAccountRow(person=person) for person in people(row["accounts"], seed)]
    specs = vpn_rows.specs(session, actor, keys, department.id, rows)
    requests.submit(session, actor, requests.Ask(KIND, department.id, specs))
