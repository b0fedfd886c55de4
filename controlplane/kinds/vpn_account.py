"""VPN accounts: the ask, the gateway that can carry one, and what its record and its table of its own will say.

Who a person is comes sealed: whoever takes an ask in seals it (`controlplane.persons`), so that nothing between the
door and the table has it in clear.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy.orm import Session

from controlplane.errors import AlreadyExists, Invalid, NotFound, Refusal, RowsRefused
from controlplane.kinds.contract import Change, Kind, Owner, Placed, Prepared, Verb
from controlplane.models import Resource
from controlplane.placement import Need, Wish
from quotas import wire
from quotas.pipeline import Reply

Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$")]
Username = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$")]
MaxSessions = Annotated[int, Field(ge=1, le=10, description="tunnels that may be up at once")]
Key = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class SealedPerson(BaseModel):
    """Who an account is for, sealed, and the keyed hashes of name and number by which it is found."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sealed: str = Field(max_length=4000)
    name_key: Key
    number_key: Key


class VpnAccountSpec(BaseModel):
    """A VPN account as it is asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    username: Username
    person: SealedPerson
    system: Code | None = Field(None, description="the one system that it reaches; without one, all of the department")
    gateway: Code | None = Field(None, description="code of the gateway; without one, whichever has room")
    max_sessions: MaxSessions = 1
    lease_until: AwareDatetime | None = Field(None, description="until when it is good")


class VpnAccountSize(BaseModel):
    """How many tunnels of an account may be up at once."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_sessions: MaxSessions


class Place(BaseModel):
    """Where an account is to be moved: codes of a gateway and of the one system that it is to reach."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gateway: Code
    system: Code | None


class _System(NamedTuple):
    id: UUID
    mlps_level: int


class _Groups:
    """What a department has at gateways: (gateway's code, gateway, system or None)."""

    def __init__(self, rows: Sequence[Sequence[Any]]) -> None:
        self._rows = [(code, UUID(pool), system and UUID(system)) for code, pool, system in rows]

    def within(self, spec: VpnAccountSpec, system: UUID | None) -> frozenset[UUID]:
        """Return the gateways that can carry what is asked. Raises Invalid."""
        fitting = {pool for code, pool, of in self._rows if of == system and spec.gateway in {None, code}}
        if not fitting:
            what = f"system {spec.system}" if spec.system else "this department"
            where = f"gateway {spec.gateway} has" if spec.gateway else "no gateway has"
            raise Invalid(field="gateway", reason=f"{where} a group for {what}; an administrator can open one")
        return frozenset(fitting)


def prepare(session: Session, department: UUID, specs: Sequence[VpnAccountSpec]) -> Callable[[Owner], list[Prepared]]:
    """Ask for all that the specs name, with one read; what is returned resolves them.

    The second step raises RowsRefused.
    """
    named = _named_by(session, department, specs)

    def resolve(owner: Owner) -> list[Prepared]:
        [(systems, groups, taken)] = named
        names = _Names({code: _System(UUID(id_), level) for code, id_, level in systems}, _Groups(groups), set(taken))
        prepared: list[Prepared] = []
        problems: list[tuple[int, Refusal]] = []
        for row, spec in enumerate(specs):
            try:
                prepared.append(_prepare_one(names, owner, spec))
            except Refusal as refusal:
                problems.append((row, refusal))
        if problems:
            raise RowsRefused(problems)
        return prepared

    return resolve


class _Names(NamedTuple):
    systems: Mapping[str, _System]
    groups: _Groups
    taken: set[str]


def _named_by(session: Session, department: UUID, specs: Sequence[VpnAccountSpec]) -> Reply:
    return wire.run(
        session,
        _NAMED,
        {
            "department": department,
            "systems": wire.words({s.system for s in specs if s.system}),
            "usernames": wire.words([s.username for s in specs]),
        },
    )


# The systems are kept from being closed meanwhile, and so are the groups.
_NAMED = """
    WITH kept AS (
        SELECT code, id, mlps_level FROM systems
        WHERE department_id = %(department)s AND deleted_at IS NULL AND code = ANY(%(systems)s::text[])
        ORDER BY id FOR KEY SHARE
    ), opened AS (
        SELECT g.pool_id, g.system_id FROM vpn_groups g WHERE g.department_id = %(department)s
        ORDER BY g.id FOR KEY SHARE
    )
    SELECT (SELECT coalesce(json_agg(json_build_array(code, id, mlps_level)), '[]') FROM kept),
           (SELECT coalesce(json_agg(json_build_array(p.code, p.id, o.system_id)), '[]')
            FROM opened o JOIN pools p ON p.id = o.pool_id),
           (SELECT coalesce(json_agg(name), '[]') FROM taken_usernames(%(usernames)s::text[]) name)
"""


def _prepare_one(names: _Names, department: Owner, spec: VpnAccountSpec) -> Prepared:
    system = None
    if spec.system:
        system = names.systems.get(spec.system)
        if system is None:
            raise NotFound(noun="system", name=spec.system)
    if spec.username in names.taken:
        raise AlreadyExists(noun="user name", name=spec.username)
    # The second of two rows with one name is the one that is refused.
    names.taken.add(spec.username)
    within = names.groups.within(spec, system and system.id)
    level = system.mlps_level if system else 1
    return Prepared(
        name=spec.username,
        system_id=system and system.id,
        spec=spec.model_dump(mode="json", exclude_unset=True, exclude={"person"}),
        demand=_DEMAND,
        need=Need(spec.username, _DEMAND, level, within=within),
        subnets={},
        lease_until=spec.lease_until,
        wanted=partial(_wanted, department.code, spec),
        aside={"department": department.id, "username": spec.username, **spec.person.model_dump()},
    )


def _wanted(department: str, spec: VpnAccountSpec, _placed: Placed) -> dict[str, Any]:
    return {
        "generation": 1,
        "power": "on",
        "department": department,
        "system": spec.system,
        "max_sessions": spec.max_sessions,
    }


def _aside(accounts: Sequence[tuple[UUID, Prepared]]) -> wire.Write:
    rows = [{"resource": id_, **prepared.aside} for id_, prepared in accounts]
    return wire.Write(_WRITTEN, {"vpn_accounts": wire.rows(rows)})


_WRITTEN: wire.Parts = (
    (
        "accounts_made",
        """
        INSERT INTO vpn_accounts (resource_id, department_id, username, person, name_key, number_key)
        SELECT resource, department, username, sealed, decode(name_key, 'hex'), decode(number_key, 'hex')
        FROM json_to_recordset(%(vpn_accounts)s::json)
        a(resource uuid, department uuid, username text, sealed text, name_key text, number_key text)
        """,
    ),
)

_DEMAND = {"vpn_account": 1}


def _power(power: str, _session: Session, account: Resource, _body: None) -> Change:
    return Change(account.spec, {**account.wanted, "power": power}, account.demand)


def _again(_session: Session, account: Resource, _body: None) -> Change:
    return Change(account.spec, account.wanted, account.demand)


def _resize(_session: Session, account: Resource, body: VpnAccountSize) -> Change:
    most = {"max_sessions": body.max_sessions}
    return Change(account.spec | most, account.wanted | most, account.demand)


def _move(_session: Session, account: Resource, body: Place) -> Change:
    spec = account.spec | {"gateway": body.gateway, "system": body.system}
    return Change(spec, {**account.wanted, "system": body.system}, account.demand)


VPN_ACCOUNT = Kind(
    name="vpn_account",
    classes=("vpn_account",),
    drivers=("ocserv", "fake_gateway"),
    spec=VpnAccountSpec,
    prepare=prepare,
    wish=lambda _specs: Wish(amounts=_DEMAND),
    halted={"power": "off"},
    verbs={
        "start": Verb(frozenset({"stopped", "faulted", "changing"}), partial(_power, "on")),
        # Also while its gateway is away: from RADIUS it is out at once.
        "stop": Verb(frozenset({"running", "faulted", "changing", "building"}), partial(_power, "off")),
        "resize": Verb(frozenset({"running", "stopped", "faulted"}), _resize, VpnAccountSize),
        # Its gateway and its system are the business of whoever orders it (`controlplane.services.vpn_moves`).
        "move": Verb(frozenset({"running", "stopped", "faulted"}), _move, Place),
        "retry": Verb(frozenset({"faulted"}), _again),
    },
    most_at_once=30_000,
    batched=True,
    of_system=False,
    aside=_aside,
    duplicates=frozenset({"uq_vpn_accounts_username"}),
)
