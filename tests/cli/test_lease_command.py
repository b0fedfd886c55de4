"""`steppe lease`: what ends, setting and keeping, legal holds, the policy and the sweep, as an operator types them."""

from uuid import UUID

import pytest
from sqlalchemy import text

from controlplane.bootstrap import Installation
from controlplane.db import transaction
from tests.cli import test_commands
from tests.cli.test_commands import VM, Steppe, done, parsed

steppe = test_commands.steppe


@pytest.fixture
def machine(steppe: Steppe) -> str:
    made = parsed(steppe("vm", "create", "web", *VM, "--lease-until", "2900-01-01T00:00:00Z", "--json"))
    return str(UUID(made["id"]))


def test_an_end_is_set_listed_and_taken_away(steppe: Steppe, machine: str) -> None:
    [row] = parsed(steppe("lease", "list", "--stage", "granted", "--json"))
    assert (row["id"], row["lease_until"]) == (machine, "2900-01-01T00:00:00+00:00")
    set_ = ("lease", "set", machine)
    both = parsed(steppe(*set_, "--until", "2900-02-01", "--contract-end", "2900-01-15T12:00:00Z", "--json"))
    assert (both["lease_until"][:10], both["contract_end"][:16]) == ("2900-02-01", "2900-01-15T12:00")
    assert parsed(steppe(*set_, "--forever", "--json"))["lease_until"] is None
    assert "nothing" in done(steppe("lease", "list"))
    assert steppe(*set_, "--until", "2020-01-01").exit_code == 3
    assert steppe(*set_, "--until", "2900-01-01", "--forever").exit_code == 2


def test_a_hold_keeps_a_machine_until_it_is_lifted(steppe: Steppe, machine: str) -> None:
    done(steppe("lease", "hold", machine, "--reason", "案件 12"))
    assert parsed(steppe("lease", "holds", "--json"))[0]["reason"] == "案件 12"
    refused = steppe("vm", "delete", machine)
    assert (refused.exit_code, "lease.on_hold" in refused.stderr) == (3, True)
    done(steppe("lease", "lift", machine))
    assert done(steppe("vm", "delete", machine)).strip() == "deleting"


def test_what_seems_unused_is_asked_about_listed_and_kept(
    steppe: Steppe, machine: str, installation: Installation
) -> None:
    for what in ("state = 'stopped'", "state_since = now() - interval '61 days'"):
        with transaction(installation.sessions) as session:
            session.execute(text(f"UPDATE resources SET {what}"))
    assert "1 asked about" in done(steppe("lease", "sweep"))
    assert parsed(steppe("lease", "unused", "--json"))[0]["answer_by"] is not None
    assert "is kept until" in done(steppe("lease", "keep", machine))
    assert parsed(steppe("lease", "unused", "--json"))[0]["answer_by"] is None


def test_some_of_the_policy_is_changed_and_the_rest_stays(steppe: Steppe) -> None:
    changed = parsed(steppe("lease", "policy", "warn_days=3,60", "delete_days=off", "--json"))
    assert (changed["warn_days"], changed["delete_days"], changed["quarantine_days"]) == ([60, 3], None, 7)
    assert parsed(steppe("lease", "policy", "--json")) == changed
    assert steppe("lease", "policy", "colour=red").exit_code == 2
