"""How answers look, for the description of the API: a test holds what `present` makes against these."""

from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from controlplane.asks.states import State as RequestState
from controlplane.asks.states import StepState
from controlplane.lifecycle import State
from web.lease_shapes import Lease


class Answer(BaseModel):
    """Something that is answered."""

    model_config = ConfigDict(extra="allow")


class Problem(Answer):
    """A refusal or an error (RFC 9457); further members hold its numbers."""

    type: str
    title: str
    status: int
    detail: str = Field(description="for a person, in English")
    code: str = Field(description="permanent: a script can rely on it")
    instance: str
    request_id: str | None = Field(description="found again in the log and the audit trail")
    problems: list[dict[str, Any]] = Field(default_factory=list, description="each field or row that is wrong")


class Size(BaseModel):
    """What a VM has, whichever way it was asked for."""

    vcpu: int
    memory_mib: int
    disk_gib: int
    data_disks: list[int]


class Address(BaseModel):
    """An address with the code of the subnet that it is from."""

    subnet: str
    address: str


class Fault(BaseModel):
    """Why it could not be made what it should be."""

    code: str
    detail: str | None


class Waiting(BaseModel):
    """Why the last try to make it what it should be came to nothing, though one of the next may succeed."""

    reason: str
    next_try_at: AwareDatetime


class Snapshot(BaseModel):
    """What is kept of a VM's disk under a name."""

    name: str
    gib: int = Field(description="what it counts as: the size of the disk that it is of")
    taken: AwareDatetime | None = Field(description="when it was first seen to be there; null until then")
    restored: bool = Field(description="whether the disk was made from it last")


class Vm(Answer):
    """A VM: the ask as it was sent, and what Steppe worked out."""

    id: UUID
    created_at: AwareDatetime
    updated_at: AwareDatetime
    version: int = Field(description="for If-Match, as `ETag` says it")
    kind: Literal["vm"]
    name: str
    department: str
    system: str
    image: str
    subnets: list[str]
    state: State
    size: Size
    addresses: list[Address] = Field(description="those on its network cards")
    floating_address: Address | None = Field(description="by which others reach it from outside its network")
    snapshots: list[Snapshot] = Field(description="of its disk, in the order in which they were asked for")
    generation: int = Field(description="raised by every change that is wanted")
    observed_generation: int | None = Field(description="the one that was last found made")
    request: UUID
    lease: Lease
    underway_since: AwareDatetime | None = Field(description="since when its pool works on it by itself")
    fault: Fault | None
    waiting: Waiting | None = Field(
        None, description="set while its pool does not answer; Steppe tries again by itself"
    )
    pool: str = Field("", description="where it runs; for administrators and auditors alone")


class VmPage(BaseModel):
    """One page of a list of VMs."""

    items: list[Vm]
    next: str | None = Field(description="cursor of the next page")
    previous: str | None = Field(description="cursor of the page before")


class OrderedVms(Answer):
    """VMs to which one order was given."""

    vms: list[Vm]


class Vms(Answer):
    """What a bulk ask made."""

    request: UUID
    vms: list[Vm]


class Approval(Answer):
    """One approval that a rule demands of a request. Stages follow one on the other, rounds on a return."""

    id: UUID
    round: int
    stage: int
    role: str
    rule: str = Field(description="names of the rules that demand it")
    state: StepState
    opened_at: AwareDatetime | None
    due_at: AwareDatetime | None
    handed_over: bool
    decided_by: str | None
    decided_at: AwareDatetime | None
    comment: str


class AskedFor(Answer):
    """A request as a list shows it."""

    id: UUID
    created_at: AwareDatetime
    updated_at: AwareDatetime
    version: int
    number: int = Field(description="what people call it by")
    kind: str
    state: RequestState
    title: str
    outcome: str | None
    department: str
    count: int
    asked_by: str
    submitted_at: AwareDatetime | None
    decided_at: AwareDatetime | None
    done_at: AwareDatetime | None
    expires_at: AwareDatetime | None
    progress: dict[str, int] = Field(description="how many of its resources are in each state")


class InFull(AskedFor):
    """A request with all that it asks for and its approvals."""

    reason: str
    items: list[dict[str, Any]]
    steps: list[Approval]


class RequestPage(BaseModel):
    """One page of a list of requests."""

    items: list[AskedFor]
    next: str | None = Field(description="cursor of the next page")
    previous: str | None = Field(description="cursor of the page before")


class Waits(Approval):
    """An approval that waits, with the request that it is of."""

    request: AskedFor


class InboxPage(BaseModel):
    """One page of the approvals that wait for the caller."""

    items: list[Waits]
    next: str | None = Field(description="cursor of the next page")
    previous: str | None = Field(description="cursor of the page before")


class Remark(Answer):
    """What somebody said of a request."""

    id: UUID
    at: AwareDatetime
    author: str
    body: str


class WhatItDoes(Answer):
    """What granting a request would do now, or why it cannot be."""

    fits: bool
    problem: dict[str, Any] | None
    made: list[dict[str, Any]]
    quota_before: list[dict[str, Any]]
    quota_after: list[dict[str, Any]]


class IngressRule(Answer):
    """What a department lets in to its machines."""

    id: UUID
    created_at: AwareDatetime
    version: int
    department: str
    protocol: Literal["icmp", "ipv6-icmp", "tcp", "udp"]
    ports: str | None = Field(description="one or a range; null: all, or a protocol without ports")
    source: str = Field(description="network in CIDR form")
    note: str


class IngressRulePage(BaseModel):
    """One page of a list of ingress rules."""

    items: list[IngressRule]
    next: str | None = Field(description="cursor of the next page")
    previous: str | None = Field(description="cursor of the page before")


class RuleShape(Answer):
    """A rule that says who has to approve what."""

    id: UUID
    code: str
    name: str
    name_en: str
    enabled: bool
    applies: dict[str, Any]
    steps: list[dict[str, Any]]
    version: int


class Drift(Answer):
    """A finding: a machine that is not as it is recorded."""

    id: UUID
    version: int
    kind: Literal["missing", "unknown", "different", "quota"]
    name: str
    machine: UUID = Field(description="its own id in the pool")
    pool: str
    resource: UUID | None = Field(description="null: Steppe never made it")
    department: str | None
    differences: dict[str, Any] = Field(description="wanted and observed, by field")
    first_seen: AwareDatetime
    last_seen: AwareDatetime
    closed_at: AwareDatetime | None
    outcome: Literal["repaired", "accepted", "adopted", "removed", "vanished"] | None
    decision: dict[str, Any] | None = Field(description="what was decided, by whom, when")


class DriftPage(BaseModel):
    """One page of a list of findings."""

    items: list[Drift]
    next: str | None = Field(description="cursor of the next page")
    previous: str | None = Field(description="cursor of the page before")


class ImageThere(Answer):
    """What an offered image is in a pool."""

    code: str
    name: str | None = Field(description="null: it has left the catalogue since")
    source: str | None
    matched_by: Literal["id", "checksum", "name", "path"] | None
    found: str | None = Field(description="its id in the pool, or its path")
    found_name: str | None
    trouble: Literal["missing", "several", "not_active", "too_large", "min_ram", "not_seen"] | None = Field(
        description="why no VM can be made of it as the catalogue says; `not_seen`: only an order finds out"
    )
    amount: int | None = Field(description="several: how many; too_large: GiB that it needs; min_ram: MiB")


class FlavorThere(Answer):
    """What an offered size is in a pool; without `found` it is made when it is first asked for."""

    code: str
    name: str | None = Field(description="null: it has left the catalogue since")
    found: str | None
    found_name: str | None


class OthersThere(Answer):
    """Images in a pool that no offered image stands for: the first of them by name, and how many there are."""

    names: list[str]
    count: int


class PoolCatalogue(Answer):
    """How the catalogue and a pool match, as the last sweep found it."""

    pool: str
    checked_at: AwareDatetime | None = Field(description="null: no sweep has looked yet, or its driver does not tell")
    unusable: int = Field(description="offered images of which no VM can be made there")
    images: list[ImageThere]
    flavors: list[FlavorThere] = Field(description="empty where a pool has VMs of any size")
    others: OthersThere


class AuditEvent(Answer):
    """One act of the trail."""

    id: int
    at: AwareDatetime
    actor: dict[str, Any] = Field(description="id, name and role, as they were then")
    action: str
    outcome: Literal["success", "failure"]
    target_kind: str
    target_id: UUID
    target_name: str
    department: UUID | None = Field(description="whose it was; null: the centre's own")
    details: dict[str, Any]
    request_id: str | None = Field(description="found again in the log")


class AuditEventPage(BaseModel):
    """One page of the trail."""

    items: list[AuditEvent]
    next: str | None = Field(description="cursor of the next page")
    previous: str | None = Field(description="cursor of the page before")


class Checking(Answer):
    """A check that a worker will do."""

    job: int
    pool: str | None


class Ticket(Answer):
    """What opens a console: show the ticket to the websocket at `url`, as its first message."""

    ticket: str = Field(description="a secret, good once")
    seconds: int = Field(description="for how long the ticket is good")
    url: str
