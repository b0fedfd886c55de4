"""The small centre that access is tried on: one existing thing of every noun, all of them of one department."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

from sqlalchemy import select, text
from werkzeug.routing import Rule

from controlplane.bootstrap import Installation, installation
from controlplane.db import transaction
from controlplane.models import ApiToken, SignIn, User
from controlplane.reconcile.sweep import sweep
from controlplane.services import users
from controlplane.services.users import NewUser
from controlplane.settings import Settings
from provisioners.contract import Machine
from provisioners.fake_driver import connect
from tests.accounts import person, token_of
from tests.callers import Callers
from tests.cli.processes import short_folder
from tests.factories import make_department, make_system, vm
from tests.people import OPERATOR
from tests.vpn_accounts.importing import imported_through, people
from tests.vpn_accounts.scene import furnish as furnish_vpn
from tests.vpn_accounts.scene import look as look_at_gateway
from tests.vpn_accounts.scene import make_gateway
from tests.web.visitors import Visitor
from tests.window.records import filed

OURS, OTHER, BELOW = "environment", "finance", "stations"
HIDDEN_MACHINE, HIDDEN_SYSTEM = "ours-alone", "ours-secret"
"""Names that nobody of another department is ever told."""
_SPARE = {"console.ingress_rule_remove": "spare_ingress_rules"}
"""What is gone once somebody has removed it, by the route that does."""
_FILES = {"static": "steppe.css", "docs.static": "css/swagger-ui.css"}


@dataclass(frozen=True)
class Place:
    """The application on a small centre. `refs`: by noun, a thing that exists; `address`: of its machine."""

    http: Callers
    refs: dict[str, str]
    address: str

    def path(self, rule: Rule, verb: str = "") -> str:
        """Return an address of this rule at which there is something."""
        values = {"verb": verb, "filename": _FILES.get(rule.endpoint, ""), "ref": self.refs.get(_noun(rule), "")}
        values |= {"token": "no-link", "name": "no-snapshot"}
        return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: values[found[1]], rule.rule)


def _noun(rule: Rule) -> str:
    if rule.endpoint in _SPARE:
        return _SPARE[rule.endpoint]
    blueprint, _, page = rule.endpoint.partition(".")
    if blueprint == "console":
        parts = page.split("_")
        return f"{'_'.join(parts[:2]) if parts[0] == 'vpn' else parts[0]}s"
    return "requests" if blueprint.startswith("requests_") else blueprint


@contextmanager
def place() -> Iterator[Place]:
    """Give a centre on a database server of its own."""
    with short_folder() as folder, installation(Settings(state_dir=folder / "s"), migrate=True) as made:
        yield furnish(made)


def furnish(made: Installation) -> Place:
    """Make the centre and its things in an empty installation."""
    http = Callers(made)
    http.app.testing = False  # an error is an answer too
    with transaction(http.sessions) as session:
        make_system(session, OURS, HIDDEN_SYSTEM)
    asked = http.admin.post("/vms", vm(HIDDEN_MACHINE, department=OURS, system=HIDDEN_SYSTEM)).json
    http.work(asked["id"])
    rule = {"name": "四级", "name_en": "level 4", "applies": {"mlps_level": 4}, "steps": [{"role": "security_admin"}]}
    assert http.security.post("/routing-rules", {"code": "strict", **rule}).status_code == 201
    assert http.security.post("/routing-rules", {"code": "spare", **rule}).status_code == 201
    sweep_up_a_stranger(http)
    tunnelled = let_somebody_in(http)
    with transaction(http.sessions) as session:
        make_department(session, BELOW, parent=OURS)
        token_of(session, "spare-program", "department_member", OURS)
        users.create(session, OPERATOR, NewUser("wang", "王芳", "department_member", OURS))
        keys = http.app.config["ENTRANCE"].keys
        spare = person(session, NewUser("spare", "Spare", "department_member", OURS), keys)
    Visitor(http.app.test_client()).enter(spare.username, spare.password)
    with transaction(http.sessions) as session:
        token = session.scalars(select(ApiToken.id).join(User).where(User.username == "spare-program")).one()
        sign_in = session.scalars(select(SignIn.id)).one()
        wang = session.scalars(select(User.id).where(User.username == "wang")).one()
    return Place(
        http,
        {
            "drifts": http.admin.get("/drifts").json["items"][0]["id"],
            "vms": asked["id"],
            "requests": asked["request"],
            "routing_rules": "strict",
            "attachments": filed(http.sessions, asked["request"]),
            "rules": "spare",
            "tokens": str(token),
            "sessions": str(sign_in),
            "users": str(wang),
            "sites": "nm",
            "departments": http.admin.get(f"/departments/{OURS}").json["id"],
            "systems": http.ours.get(f"/systems/{HIDDEN_SYSTEM}").json["id"],
            "flavors": "small",
            "images": "debian-12",
            "subnets": "business",
            "pools": "hv-01",
            "webhooks": http.ours.post("/webhooks", {"name": "x", "url": "https://hook.example/"}).json["id"],
            "ingress_rules": let_in(http, "icmp"),
            "spare_ingress_rules": let_in(http, "udp"),
            "accounts": str(uuid4()),
            "vpn_gateways": "vpn-1",
            **tunnelled,
        },
        asked["addresses"][0]["address"],
    )


def let_in(http: Callers, protocol: str) -> str:
    """Have the department let in something; return the rule's id."""
    return str(http.ours.post("/ingress-rules", {"protocol": protocol, "source": "10.0.0.0/8"}).json["id"])


def let_somebody_in(http: Callers) -> dict[str, str]:
    """Have an account with a tunnel at a VPN gateway; return where each is."""
    with transaction(http.sessions) as session:
        furnish_vpn(session)
        make_gateway(session, "vpn-2")
    asked = http.ours.post("/vpn-accounts", {"username": "li", "person": {"name": "李娜", "number": "1"}}).json
    with transaction(http.sessions) as session:
        session.execute(text("SET LOCAL ROLE NONE"))
        status = "SELECT radius_accounting('Start', 'a', 'a', 'li', 'vpn-1', '', '', 0, 0, 0, '')"
        tunnel = session.scalar(text(status))
    look_at_gateway(http)
    groups = http.ours.get("/vpn-groups").json["items"]
    imported = imported_through(http.ours, http.installation, people(1))
    of_imports = {"vpn_imports": imported, "imports": imported}
    return {"vpn_accounts": asked["id"], "vpn_groups": groups[0]["id"], "vpn_sessions": str(tunnel), **of_imports}


def sweep_up_a_stranger(http: Callers) -> None:
    """Have a machine found that nobody recorded."""
    stranger = Machine(uuid4(), "legacy-db", "on", 3, 512, 7, "")
    connect({"node": "hv-01"}, http.installation.settings.state_dir / "nodes").put(stranger)
    sweep(http.sessions, http.drivers)
