"""`steppe ingress` as an operator types it."""

from tests.cli.test_commands import Steppe, done, parsed, steppe

__all__ = ["steppe"]

ADD = ("ingress", "add", "environment", "tcp", "--source", "10.0.0.0/8")


def test_what_a_department_lets_in_is_added_listed_and_removed(steppe: Steppe) -> None:
    assert done(steppe("ingress", "list")) == "nothing\n"
    assert done(steppe(*ADD, "--ports", "443", "--note", "网站")).startswith("added tcp/443 10.0.0.0/8 ")
    [rule] = parsed(steppe("ingress", "list", "--department", "environment", "--json"))
    assert {name: rule[name] for name in ("department", "protocol", "ports", "source", "note")} == {
        "department": "environment",
        "protocol": "tcp",
        "ports": "443",
        "source": "10.0.0.0/8",
        "note": "网站",
    }
    assert "10.0.0.0/8" in done(steppe("ingress", "list"))
    assert done(steppe("ingress", "remove", rule["id"])) == "removed\n"
    assert parsed(steppe("ingress", "list", "--json")) == []


def test_a_rule_that_may_not_be_is_refused_with_what_to_write(steppe: Steppe) -> None:
    refused = steppe(*ADD, "--ports", "80-22")
    assert refused.exit_code == 3
    assert "write one like 443 or 8000-8080" in refused.stderr
    assert steppe("ingress", "add", "environment", "sctp", "--source", "10.0.0.0/8").exit_code == 2
    assert steppe("ingress", "add", "environment", "tcp").exit_code == 2
    assert steppe("ingress", "remove", "00000000-0000-0000-0000-000000000000").exit_code == 4
