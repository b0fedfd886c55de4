"""What exists, what is recorded and what was asked, each read by itself and compared.

What exists is read from the files in which the simulated hypervisor keeps its machines, not through the code that wrote
them; what is recorded, from the tables and not through the API.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote
from uuid import UUID

import psycopg
from lxml import etree
from psycopg.rows import dict_row

from tests.chaos.steppe import PATIENCE, Steppe
from tests.cli.processes import steppe, until

_LABEL = "metadata/{urn:steppe:machine:1}machine"
_RUNNING = "1"
_OURS = "steppe-"


@dataclass(frozen=True)
class Wanted:
    """A VM as it was asked for."""

    name: str
    vcpu: int
    memory_mib: int
    disk_gib: int
    image: str = "debian-12"
    power: str = "on"
    builds: int = 0
    boots: int = 0


class Oracle:
    """Compares. Every method returns what is wrong, in words; nothing where all is well."""

    def __init__(self, running: Steppe) -> None:
        self._steppe = running
        self._node = running.state / "nodes" / "libvirt" / "hv-01"
        self._database = f"host={running.state / 'postgres'} dbname=steppe user=postgres"

    def one(self, vm: str, wanted: Wanted | None) -> list[str]:
        """Compare one VM; `wanted` None: nothing may be left of it."""
        exists, recorded = self._machines().get(vm), self._records([vm]).get(vm)
        if wanted is None:
            return [*_left(vm, exists, self._volumes(vm)), *_not_gone(recorded)]
        if exists is None or recorded is None:
            return [f"machine {'is there' if exists else 'is missing'}, record {recorded and recorded['state']}"]
        return [*_differs(wanted, exists), *_misrecorded(wanted, recorded, exists), *self._disk(vm, wanted)]

    def everything(self, wanted: Mapping[str, Wanted]) -> list[str]:
        """Compare the whole installation with all that was asked and not deleted."""
        wrong = self._undone()
        wrong += [f"{vm}: {what}" for vm, w in wanted.items() for what in self.one(vm, w)]
        machines, records = self._machines(), self._records()
        alive = {vm for vm, record in records.items() if record["deleted_at"] is None}
        wrong += [f"{vm} exists and nobody asked for it" for vm in machines.keys() - wanted.keys()]
        wrong += [f"{vm} is recorded and nobody asked for it" for vm in alive - wanted.keys()]
        names = Counter(machine["name"] for machine in machines.values())
        wrong += [f"{name} exists {count} times" for name, count in names.items() if count > 1]
        owners = {volume.removeprefix(_OURS)[:36] for volume in self._shelf("volumes") if volume.startswith(_OURS)}
        wrong += [f"volumes of {vm} are left" for vm in owners - wanted.keys()]
        return [*wrong, *self._ledger(wanted.values()), *self._addresses(wanted), *self._verified()]

    def jobs(self, vm: str | None = None) -> int:
        """Return how many jobs there are for a VM, or for all."""
        [row] = self._query(_JOBS, {"vm": vm})
        return int(row["jobs"])

    def _undone(self) -> list[str]:
        """Wait for the last job; what was killed after it had saved still has to be looked at once more."""
        try:
            until(lambda: not self.jobs(), "the last job to be done", PATIENCE)
        except AssertionError as error:
            return [str(error)]
        return []

    def _machines(self) -> dict[str, dict[str, Any]]:
        return {name: _machine(definition) for name, definition in self._shelf("domains").items()}

    def _volumes(self, vm: str) -> list[str]:
        return [name for name in self._shelf("volumes") if vm in name]

    def _disk(self, vm: str, wanted: Wanted) -> list[str]:
        shelf = self._shelf("volumes")
        disk = shelf.get(f"{_OURS}{vm}-disk.qcow2")
        if disk is None or f"{_OURS}{vm}-seed.iso" not in shelf:
            return [f"volumes are {self._volumes(vm)}"]
        size, below = int(disk.findtext("capacity", "0")), disk.findtext("backingStore/path", "")
        right = size == wanted.disk_gib * 1024**3 and below.endswith(f"{wanted.image}.qcow2")
        return [] if right else [f"the disk has {size} bytes upon {below}"]

    def _shelf(self, name: str) -> dict[str, Any]:
        files = (self._node / name).glob("*.xml")
        return {unquote(file.name.removesuffix(".xml")): etree.fromstring(file.read_bytes()) for file in files}

    def _records(self, ids: Collection[str] | None = None) -> dict[str, dict[str, Any]]:
        rows = self._query(_RECORDS, {"ids": None if ids is None else [UUID(i) for i in ids]})
        return {str(row["id"]): row for row in rows}

    def _ledger(self, wanted: Collection[Wanted]) -> Iterator[str]:
        asked = {"vm": len(wanted), **{c: sum(getattr(w, c) for w in wanted) for c in _CLASSES}}
        for row in self._query(_BALANCES):
            if (row["used"], row["held"]) != (asked[row["class"]], 0):
                yield f"ledger: {row} and {asked[row['class']]} were asked"

    def _addresses(self, wanted: Collection[str]) -> Iterator[str]:
        claimed = self._query("SELECT resource_id::text AS vm, host(address) AS address FROM claims")
        if Counter(row["vm"] for row in claimed) != Counter(list(wanted)):
            yield f"{len(claimed)} addresses are claimed for {len(wanted)} VMs"
        if len({row["address"] for row in claimed}) != len(claimed):
            yield "an address is claimed twice"

    def _verified(self) -> list[str]:
        ledger = steppe(self._steppe.env, "ledger", "verify")
        return [*([] if ledger.returncode == 0 else [ledger.stdout]), *drift(self._steppe)]

    def _query(self, statement: str, values: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        with psycopg.connect(self._database, row_factory=dict_row, connect_timeout=10) as connection:
            return connection.execute(statement, values).fetchall()


def drift(running: Steppe) -> list[str]:
    """Return what `steppe drift` finds when it looks now, or why it could not look."""
    done = steppe(running.env, "drift", "--format", "json")
    if done.returncode not in {0, 1}:
        return [f"drift: {done.stderr.strip()}"]
    return [f"drift: {finding}" for finding in json.loads(done.stdout)]


def _machine(domain: Any) -> dict[str, Any]:
    label = dict(domain.find(_LABEL).attrib)
    state = domain.findtext("{http://libvirt.org/schemas/domain/test/1.0}runstate")
    return {
        "name": label["name"],
        "vcpu": int(domain.findtext("vcpu")),
        "memory_mib": int(domain.findtext("memory")) // 1024,
        "disk_gib": int(label["disk_gib"]),
        "image": label["image"],
        "power": "on" if state == _RUNNING else "off",
        "builds": int(label["builds"]),
        "boots": int(label["boots"]),
        "generation": int(label["generation"]),
        "macs": sorted(mac.get("address") for mac in domain.findall("devices/interface/mac")),
    }


def _left(vm: str, exists: Mapping[str, Any] | None, volumes: Collection[str]) -> list[str]:
    return [*([f"{vm} still exists"] if exists else []), *(f"volume {volume} is left" for volume in volumes)]


def _not_gone(recorded: Mapping[str, Any] | None) -> list[str]:
    if recorded is None or (recorded["state"], recorded["claimed"]) == ("deleted", None):
        return []
    return [f"the record is {recorded['state']} with {recorded['claimed']}"]


def _differs(wanted: Wanted, exists: Mapping[str, Any]) -> list[str]:
    asked = {field: getattr(wanted, field) for field in wanted.__dataclass_fields__}
    return [f"{field} is {exists[field]}, asked {value}" for field, value in asked.items() if exists[field] != value]


def _misrecorded(wanted: Wanted, recorded: Mapping[str, Any], exists: Mapping[str, Any]) -> list[str]:
    state = "running" if wanted.power == "on" else "stopped"
    checks = {
        "state": (recorded["state"], state),
        "fault": (recorded["fault_code"], None),
        "waiting": (recorded["waiting_reason"], None),
        "generation seen": (recorded["observed_generation"], recorded["generation"]),
        "generation on the machine": (exists["generation"], recorded["generation"]),
        "macs": (exists["macs"], sorted(nic["mac"] for nic in recorded["wanted"]["nics"])),
        "address": (recorded["claimed"], [nic["address"] for nic in recorded["wanted"]["nics"]]),
        "demand": (recorded["demand"], {"vm": 1, **{c: getattr(wanted, c) for c in _CLASSES}}),
    }
    return [f"{what} is {found}, not {right}" for what, (found, right) in checks.items() if found != right]


_CLASSES = ("vcpu", "memory_mib", "disk_gib")

_RECORDS = """
    SELECT r.*, (SELECT array_agg(host(c.address)) FROM claims c WHERE c.resource_id = r.id) AS claimed
    FROM resources r WHERE %(ids)s::uuid[] IS NULL OR r.id = ANY(%(ids)s::uuid[])
"""

_JOBS = """
    SELECT count(*) AS jobs FROM procrastinate_jobs
    WHERE queue_name = 'reconcile' AND (%(vm)s::text IS NULL OR lock = %(vm)s::text)
"""

_BALANCES = """
    SELECT resource_class AS class, used, held FROM ledger_accounts
    WHERE owner IN (SELECT id FROM departments UNION SELECT id FROM pools)
"""
