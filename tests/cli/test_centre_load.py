"""The model centre is loaded through the services, may be loaded several times over, and survives being cut off.

Loading is the first thing that anybody does with Steppe; a second start after a power cut must end with the whole
centre and nothing of it twice.
"""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from controlplane.bootstrap import Installation
from controlplane.centre.data_files import UnknownModel, copies, read
from controlplane.centre.loader import Load, is_loaded, load
from controlplane.db import Sessions, transaction
from controlplane.reports.bulletin import bulletin
from controlplane.secrets import keys
from quotas.verify import verify
from tests.people import ADMIN

NAME = "inner-mongolia"
COUNTS = {
    "sites": 116,
    "departments": 114,
    "systems": 478,
    "flavors": 8,
    "images": 6,
    "subnets": 6,
    "pools": 14,
    "resources": 292,
}
ACCOUNTS = 23_785
GATEWAYS = 2
VMS = frozenset({"vm"})
SHARED = {"flavors", "images"}


def asked(installation: Installation, scale: int = 1, **more: Any) -> Load:
    return Load(NAME, keys(installation.settings), scale, **more)


def silent(_what: str, _done: int, _total: int) -> None:
    """Nobody watches."""


def counts(sessions: Sessions) -> dict[str, int]:
    with transaction(sessions) as session:
        return {table: session.scalar(text(f"SELECT count(*) FROM {table}")) or 0 for table in COUNTS}


def discrepancies(sessions: Sessions) -> list[Any]:
    with transaction(sessions) as session:
        return list(verify(session))


def loaded(sessions: Sessions) -> bool:
    with transaction(sessions) as session:
        return is_loaded(session, NAME)


class CutOff(Exception):
    """The power went."""


def test_two_copies_are_twice_the_centre_with_codes_and_addresses_of_their_own(installation: Installation) -> None:
    sessions = installation.sessions
    complete: dict[str, int] = {}

    def tell(what: str, done: int, total: int) -> None:
        assert 0 < done <= total
        if done == total:
            complete[what] = total

    load(sessions, asked(installation, 2, kinds=VMS), tell)
    assert counts(sessions) == {table: n if table in SHARED else 2 * n for table, n in COUNTS.items()}
    assert discrepancies(sessions) == []
    assert not loaded(sessions), "its VPN accounts are missing"
    with transaction(sessions) as session:
        claims, addresses = session.execute(text("SELECT count(*), count(DISTINCT address) FROM claims")).one()
        assert claims == addresses > 2 * 292
        outside = session.scalar(
            text(
                "SELECT count(*) FROM claims c JOIN subnets s ON s.id = c.subnet_id"
                " WHERE NOT c.address << CAST(s.cidr AS cidr)"
            )
        )
        assert outside == 0
        owners = text(
            "SELECT count(*) FILTER (WHERE d.code LIKE '%-2'), count(*) FILTER (WHERE s.code LIKE '%-2')"
            " FROM resources r JOIN departments d ON d.id = r.department_id JOIN systems s ON s.id = r.system_id"
        )
        assert tuple(session.execute(owners).one()) == (292, 292), "half of all belongs to the copy's own departments"
    told = {("vms" if table == "resources" else table): n for table, n in COUNTS.items()}
    assert complete == {**told, "pools": COUNTS["pools"] - GATEWAYS, "gateways": GATEWAYS}


def test_copies_share_no_code_name_or_network() -> None:
    first, second, third = copies(read(NAME), 3)
    for part in ("sites", "departments", "systems", "pools", "subnets", "gateways"):
        codes = [row["code"] for copy in (first, second, third) for row in getattr(copy, part)]
        assert len(codes) == len(set(codes)) == 3 * len(getattr(first, part))
    networks = [row["cidr"] for copy in (first, second, third) for row in copy.subnets]
    assert len(networks) == len(set(networks))


def test_a_load_that_was_cut_off_again_and_again_ends_complete_with_nothing_twice(installation: Installation) -> None:
    sessions = installation.sessions
    for what, after in (("departments", 1), ("systems", 200), ("pools", 1), ("vms", 1), ("vms", 150)):
        with pytest.raises(CutOff):
            load(sessions, asked(installation), cutting_off(what, after))
        assert not loaded(sessions), "what is half there must not count as loaded"
        assert discrepancies(sessions) == []
    assert 0 < counts(sessions)["resources"] < 292
    load(sessions, asked(installation, kinds=VMS), silent)
    assert counts(sessions) == COUNTS
    with transaction(sessions) as session:
        waiting = session.scalar(
            text("SELECT count(DISTINCT lock) FROM procrastinate_jobs WHERE task_name = 'reconcile'")
        )
        assert waiting == 292, "a worker looks at each of them"
    with pytest.raises(CutOff):
        load(sessions, asked(installation), cutting_off("vpn accounts", 5000))
    for _ in range(2):
        load(sessions, asked(installation), silent)
        assert counts(sessions) == {**COUNTS, "resources": 292 + ACCOUNTS}
        assert loaded(sessions)
    assert discrepancies(sessions) == []
    with transaction(sessions) as session:
        figures = bulletin(session, ADMIN, datetime.now(UTC))
    assert (figures["vms"], figures["vpn_accounts"], figures["vpn_departments"]) == (292, ACCOUNTS, 35)


def cutting_off(what: str, after: int) -> Any:
    """Return a `tell` at which the power goes once so many of something are there."""

    def tell(told: str, done: int, _total: int) -> None:
        if told == what and done >= after:
            raise CutOff

    return tell


def test_an_unknown_model_is_named_with_those_there_are(installation: Installation) -> None:
    with pytest.raises(UnknownModel, match="inner-mongolia"):
        load(installation.sessions, Load("atlantis", keys(installation.settings)), silent)
    assert counts(installation.sessions)["sites"] == 0
