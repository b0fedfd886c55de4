"""Bodies, paths and queries of the API. A kind's own spec is the body of its ask; unknown fields are refused."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from controlplane.actor import Role
from controlplane.kinds.names import Code
from controlplane.kinds.vm import DiskGib, MemoryMib, Vcpu, VmFloat, VmRebuild, VmSize, VmSpec
from controlplane.kinds.vm_found import VmAdoption
from controlplane.kinds.vm_snapshots import VmOfSnapshot, VmSnapshot
from controlplane.settings import ADDRESS

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Level = Annotated[int, Field(ge=1, le=4, description="MLPS level")]
Limits = Annotated[
    dict[str, Annotated[int, Field(ge=0, le=2**53)] | None],
    Field(description="limit per class: vm, vcpu, memory_mib, disk_gib; null: unlimited"),
]


Instant = Annotated[AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(3000, 1, 1, tzinfo=UTC))]


class Strict(BaseModel):
    """A body or query in which nothing unknown may stand."""

    model_config = ConfigDict(extra="forbid")


class Change(Strict):
    """A change of some fields: what is left out stays. Only a field named in CLEARABLE can be emptied by null."""

    CLEARABLE: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="after")
    def _empties_nothing_that_must_be(self) -> Self:
        emptied = sorted(f for f in self.model_fields_set - self.CLEARABLE if getattr(self, f) is None)
        if emptied:
            raise ValueError(f"{', '.join(emptied)}: cannot be emptied; leave it out to keep it as it is")
        return self


class RefPath(BaseModel):
    """An id, or a code where the thing has one."""

    ref: str = Field(description="id or code")


class IdPath(BaseModel):
    """An id."""

    ref: str = Field(description="id (UUID)")


class SnapshotPath(IdPath):
    """A snapshot of a VM."""

    name: Code = Field(description="of the snapshot")


class WriteQuery(Strict):
    """What may be said with any write."""

    dry_run: Literal["true", "false"] = Field("false", description="do everything, return what it gives, undo it")


class ListQuery(Strict):
    """What may be said with any list."""

    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = Field(None, description="`next` or `previous` of a page")
    sort: str | None = Field(None, description="a field's name, with - before it for descending")
    q: str | None = Field(None, description="any part of a name or code")


class SiteQuery(ListQuery):
    level: Literal["region", "prefecture", "county"] | None = None
    parent: str | None = None


class SubnetQuery(ListQuery):
    department: str | None = Field(None, description="id or code: only those that are this department's own")


class DepartmentQuery(ListQuery):
    parent: str | None = None
    site: str | None = None


class SystemQuery(ListQuery):
    department: str | None = None
    mlps_level: int | None = Field(None, ge=1, le=4)


class IngressQuery(Strict):
    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = None
    sort: Literal["created_at", "-created_at"] | None = None
    department: str | None = Field(None, description="id or code")


class VmQuery(ListQuery):
    state: str | None = Field(None, description="one or more states, separated by commas")
    department: str | None = None
    system: str | None = None
    pool: str | None = None
    subnet: str | None = Field(None, description="id or code: what has an address of it")
    request: str | None = None


class PoolQuery(Strict):
    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = None
    sort: str | None = None
    kind: str | None = None
    site: str | None = None


class DriftQuery(Strict):
    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = None
    sort: str | None = None
    pool: str | None = None
    kind: Literal["missing", "unknown", "different", "quota"] | None = None
    open: Literal["true", "false"] | None = Field(None, description="only what is not over, or only what is")


class AuditFilters(Strict):
    since: Instant | None = Field(None, alias="from", description="the first instant")
    until: Instant | None = Field(None, alias="to", description="the first instant after")
    actor: str | None = Field(None, description="id, user name (with its tokens), or a name such as worker")
    action: str | None = Field(None, description="like user.disable")
    target: str | None = Field(None, description="id or exact name")
    department: str | None = Field(None, description="id or code")
    outcome: Literal["success", "failure"] | None = None


class AuditQuery(AuditFilters):
    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = None
    sort: Literal["at", "-at"] | None = None


class AuditExportQuery(AuditFilters):
    format: Literal["csv", "jsonl"] = Field("jsonl", description="jsonl is exact; csv is for spreadsheets")


class CheckBody(Strict):
    pool: str | None = Field(None, description="id or code; all pools where it is left out")


class InstantQuery(Strict):
    at: Instant | None = Field(None, description="as of this instant; now where it is left out")


class SiteBody(Strict):
    code: Code
    name: Text
    name_en: Text
    level: Literal["region", "prefecture", "county"]
    parent: Code | None = None


class DepartmentBody(Strict):
    code: Code
    name: Text
    name_en: Text
    site: Code
    parent: Code | None = None
    limits: Limits = Field(default_factory=dict)


class DepartmentChange(Change):
    name: Text | None = None
    name_en: Text | None = None


class QuotaBody(Strict):
    limits: Limits


class Contact(Strict):
    name: Text
    phone: Text
    email: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$", max_length=200)]


class SystemBody(Strict):
    department: Code | None = Field(None, description="the caller's own where it is left out")
    code: Code
    name: Text
    name_en: Text
    mlps_level: Level
    contact: Contact


class SystemChange(Change):
    name: Text | None = None
    name_en: Text | None = None
    mlps_level: Level | None = None
    contact: Contact | None = None


class IngressBody(Strict):
    department: Code | None = Field(None, description="the caller's own where it is left out")
    protocol: Literal["icmp", "ipv6-icmp", "tcp", "udp"]
    ports: str | None = Field(
        None, max_length=20, description="of tcp and udp: one or a range, like 443 or 8000-8080; left out: all"
    )
    source: str = Field(max_length=100, description="network that it may come from, IPv4 or IPv6, like 10.1.0.0/16")
    note: str = Field("", max_length=200, description="what it is for")


class FlavorBody(Strict):
    code: Code
    name: Text
    vcpu: Vcpu
    memory_mib: MemoryMib
    disk_gib: DiskGib


class FlavorChange(Change):
    name: Text | None = None
    offered: bool | None = None


class ImageBody(Strict):
    code: Code
    name: Text
    os: Text
    min_disk_gib: int = Field(ge=1, le=65536)
    source: str | None = Field(None, description="path that the hypervisor hosts can read")
    sha256: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")] | None = None


class ImageChange(Change):
    CLEARABLE = frozenset({"source", "sha256"})

    name: Text | None = None
    offered: bool | None = None
    source: str | None = None
    sha256: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")] | None = None


class SubnetBody(Strict):
    code: Code
    name: Text
    site: Code
    cidr: str = Field(description="IPv4 or IPv6 network, like 10.1.0.0/24")
    gateway: str | None = None
    dns: list[str] = Field(default_factory=list, max_length=4)
    department: Code | None = Field(
        None, description="whose own it is: only that department and those below it see it and get addresses of it"
    )
    network: Text = Field(description="name of the hypervisors' network; of a department's own, what it will be called")
    reserved: list[str] = Field(
        default_factory=list, max_length=100, description="the centre's own use: a, a-b or CIDR"
    )
    excluded: list[str] = Field(default_factory=list, max_length=100, description="never used: a, a-b or CIDR")
    floating: bool = Field(
        False,
        description="its addresses are on no card: by them VMs on other networks are reached from `network`, which is"
        " an external one; IPv4, and never a department's own",
    )


class SubnetChange(Change):
    name: Text | None = None
    dns: list[str] | None = Field(None, max_length=4)


class CapacityBody(Strict):
    total: int | None = Field(None, ge=0, le=2**53, description="null: does not limit")
    reserved: int = Field(0, ge=0, le=2**53)
    ratio: Decimal = Field(Decimal(1), gt=0, le=1000, description="overcommit")


class PoolBody(Strict):
    code: Code
    name: Text
    kind: Text
    site: Code
    mlps_level: Level
    driver: Text
    connection: dict[str, Any] = Field(description="what the driver needs, for libvirt at least uri")
    capacity: dict[str, CapacityBody]


class PoolChange(Change):
    name: Text | None = None
    accepting: bool | None = None
    drift_policy: Literal["repair", "report"] | None = None
    capacity_follows: bool | None = Field(None, description="the sweep reads from the pool itself how much it has")
    connection: dict[str, Any] | None = None
    capacity: dict[str, CapacityBody] | None = None


class VmBody(VmSpec):
    """The spec of a VM as it is kept, and beside it for whom."""

    department: Code | None = Field(None, exclude=True, description="the caller's own where it is left out")


class VmsBody(Strict):
    department: Code | None = Field(None, description="the caller's own where it is left out")
    vms: list[VmSpec] = Field(min_length=1, max_length=1000)


class BulkPath(BaseModel):
    """What is to be done to many at once."""

    verb: Literal["start", "stop", "reboot", "retry", "delete"]


class IdsBody(Strict):
    ids: list[UUID] = Field(
        min_length=1, max_length=1000, description="all of them or none; a repeated one counts once"
    )


Email = Annotated[str, StringConstraints(pattern=ADDRESS, max_length=254)]
Username = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
Networks = Annotated[list[str], Field(max_length=20, description="like 10.0.0.0/8; empty: from anywhere")]


class UserQuery(ListQuery):
    role: Role | None = None
    department: str | None = None
    service: Literal["true", "false"] | None = Field(None, description="only accounts of programs, or only of people")
    disabled: Literal["true", "false"] | None = None


class UserBody(Strict):
    username: Username
    name: Text
    role: Role
    department: Code | None = Field(None, description="of roles of departments alone")
    email: Email | None = Field(None, description="address that notifications go to")
    service: bool = Field(False, description="of a program: no password, no sign-in, tokens alone")
    login: Text | None = Field(
        None, description="user name at the identity provider: the account has no password, its owner comes in there"
    )


class IdentityBody(Strict):
    """Who comes in under an account through the identity provider: just one of the two."""

    subject: Text | None = Field(None, description="what the provider knows somebody for good by (`sub`)")
    login: Text | None = Field(None, description="the user name there; it is asked at the first sign-in alone")


class UserChange(Change):
    CLEARABLE = frozenset({"email"})

    email: Email | None = Field(None, description="address that notifications go to; null: none")
    name: Text | None = None
    role: Role | None = None
    department: Code | None = None
    networks: Networks | None = None


class TokenBody(Strict):
    name: Text
    user: Username | None = Field(None, description="whose it is: one's own where it is left out")
    department: Code | None = Field(None, description="narrows it to this department")
    actions: list[str] | None = Field(
        None, min_length=1, max_length=100, description="narrows it to these; left out: all that its owner may do"
    )
    expires_at: Instant | None = Field(None, description="in 90 days where it is left out")


__all__ = ["VmAdoption", "VmFloat", "VmOfSnapshot", "VmRebuild", "VmSize", "VmSnapshot", "VmSpec"]
