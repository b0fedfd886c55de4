"""What tests of VPN accounts share: asks and orders by the services, looks at the gateway, and its simulated self."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import select, text

from controlplane import vpn_rows
from controlplane.bootstrap import Installation
from controlplane.db import transaction
from controlplane.models import AuditEvent, Pool, Resource, VpnAccount, VpnSession
from controlplane.reconcile import gateways
from controlplane.reconcile.gateways import Looked
from controlplane.services import requests, resources, vpn_credentials, vpn_sessions
from controlplane.services.resources import Order
from controlplane.services.vpn_credentials import Issued, Which
from provisioners.contract import Tunnel
from provisioners.fake_gateway import FakeGateway
from quotas.verify import verify
from tests.people import ADMIN
from tests.vpn_accounts.scene import GATEWAY, KIND, keys_in, row, vpn_centre


class VpnLab:
    """A small centre with one simulated gateway, which serves both of its departments."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.sessions = installation.sessions
        self.keys = keys_in(installation.settings.state_dir)
        self.drivers = installation.drivers()
        with transaction(self.sessions) as session:
            vpn_centre(session)

    def close(self) -> None:
        self.drivers.close()

    # --- what people do

    def ask(self, *rows: vpn_rows.VpnAccountRow, department: str = "environment") -> list[UUID]:
        """Ask for accounts as the administrator; return their ids."""
        with transaction(self.sessions) as session:
            specs = vpn_rows.specs(session, ADMIN, self.keys, department, rows)
            submitted = requests.submit(session, ADMIN, requests.Ask(KIND, department, specs))
            return [made.id for made in submitted.resources]

    def active(self, *numbers: int, department: str = "environment", **more: Any) -> list[UUID]:
        """Ask for accounts, hand out their passwords, and have the gateway looked at."""
        made = self.ask(*(row(number, **more) for number in numbers), department=department)
        self.issue(department)
        self.look()
        return made

    def act(self, account: UUID, verb: str, body: Any = None) -> None:
        with transaction(self.sessions) as session:
            if verb == "delete":
                resources.delete(session, ADMIN, KIND, account)
            else:
                resources.act(session, ADMIN, Order(KIND, account, verb, body))

    def issue(self, department: str = "environment", ids: Sequence[UUID] = ()) -> list[Issued]:
        with transaction(self.sessions) as session:
            return vpn_credentials.issue(session, ADMIN, self.keys, Which(department, ids))

    def disconnect(self, unique: str) -> None:
        with transaction(self.sessions) as session:
            number = session.scalars(select(VpnSession.id).where(VpnSession.unique_id == unique)).one()
            vpn_sessions.disconnect(session, ADMIN, number, datetime.now(UTC))

    # --- what workers do

    def look(self) -> Looked:
        return gateways.check(self.sessions, self.drivers, self.pool.id)

    # --- how it stands

    @property
    def pool(self) -> Pool:
        with self.sessions() as session:
            return session.scalars(select(Pool).where(Pool.code == GATEWAY)).one()

    @property
    def gateway(self) -> FakeGateway:
        pool = self.pool
        return cast(FakeGateway, self.drivers.gateway(pool.id, pool.driver, pool.connection))

    def record(self, account: UUID) -> Resource:
        with self.sessions() as session:
            return session.get_one(Resource, account)

    def states(self, *accounts: UUID) -> list[str]:
        return [self.record(account).state for account in accounts]

    def tried(self, username: str, why: str | None = None) -> None:
        """Have somebody ask RADIUS to be let in, who is, or is not because of `why`."""
        with transaction(self.sessions) as session:
            session.execute(text("SET LOCAL ROLE NONE"))
            session.execute(_TRIED, {"name": username, "accepted": why is None, "why": why or ""})

    def let_in(self, username: str, session: str = "1", **more: Any) -> Tunnel:
        """Have RADIUS let somebody in, and their tunnel be up."""
        self.tried(username)
        return self.carried(username, session, **more)

    def carried(self, username: str, session: str = "1", **more: Any) -> Tunnel:
        """Have a tunnel be up that RADIUS let in a while ago, or never."""
        said = {"group": "environment", "since": 4e9, "client": "203.0.113.7", "address": "10.96.0.5", **more}
        tunnel = Tunnel(username=username, session=session, **said)
        self.gateway.put(tunnel)
        return tunnel

    def started(self, unique: str, name: str, address: str | None, ago: int) -> None:
        """Have RADIUS, by whose functions alone sessions are made, have told of a tunnel so many seconds ago."""
        with transaction(self.sessions) as session:
            session.execute(text("SET LOCAL ROLE NONE"))
            session.execute(_STARTED, {"unique": unique, "name": name, "address": address, "ago": ago})

    def up(self) -> list[str]:
        """Return whose tunnels are up."""
        return sorted(tunnel.username for tunnel in self.gateway.tunnels())

    def used(self, department: str = "environment") -> int:
        with self.sessions() as session:
            return int(session.scalar(_USED, {"code": department}) or 0)

    def known(self) -> set[str]:
        """Return the user names that RADIUS knows."""
        with self.sessions() as session:
            return set(session.scalars(select(VpnAccount.username)))

    def obstacle(self, username: str) -> str | None:
        """Return why RADIUS lets somebody not in, None where it would."""
        with self.sessions() as session:
            session.execute(text("SET LOCAL ROLE NONE"))
            return session.scalar(
                text("SELECT obstacle FROM radius_accounts WHERE username = :name"), {"name": username}
            )

    def counted(self, username: str) -> int:
        """Return how many tunnels RADIUS takes somebody to have."""
        with self.sessions() as session:
            session.execute(text("SET LOCAL ROLE NONE"))
            return int(session.scalar(text("SELECT radius_sessions(:name)"), {"name": username}) or 0)

    def said(self, action: str) -> int:
        """Return how often the trail says this."""
        with self.sessions() as session:
            return len(session.scalars(select(AuditEvent.id).where(AuditEvent.action == action)).all())

    def jobs(self) -> list[str]:
        """Return the tasks that wait for workers."""
        with self.sessions() as session:
            return list(session.scalars(text("SELECT task_name FROM procrastinate_jobs ORDER BY id")))

    def discrepancies(self) -> list[Any]:
        with self.sessions() as session:
            return list(verify(session))


_USED = text("""
    SELECT a.used FROM ledger_accounts a JOIN departments d ON d.id = a.owner
    WHERE d.code = :code AND a.resource_class = 'vpn_account'
""")

_TRIED = text("SELECT radius_logged(:name, 'vpn-1', '203.0.113.7', :accepted, :why)")

_STARTED = text("""
    INSERT INTO vpn_sessions (unique_id, session_id, username, gateway, address, started, updated, resource_id)
    VALUES (:unique, :unique, :name, 'vpn-1', CAST(:address AS inet), now() - make_interval(secs => :ago),
            now() - make_interval(secs => :ago), (SELECT resource_id FROM vpn_accounts WHERE username = :name))
""")
