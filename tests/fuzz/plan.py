"""What schemathesis is told: how much, which checks, and the names of things that exist, which it would never guess."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemathesis.config import SchemathesisConfig

from tests.fuzz.stock import Stock

PHASES = ("coverage", "fuzzing", "stateful")
ODD = "odd"
"""The phase that is ours, not schemathesis': see `odd`."""
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "positive_data_acceptance",
    "unsupported_method",
    "ignored_auth",
    "use_after_free",
)
# What is of the right form may name what is not there, be used up, or have been changed since: that is no fault.
_MAY_REFUSE = ["400", "401", "403", "404", "405", "406", "409", "412", "413", "414", "415", "422", "431"]
_MAY_BECOME = ["2xx", "400", "401", "403", "404", "409", "412", "422"]
_MOSTLY, _OFTEN = 0.7, 0.4
_TAGS = ('"v1"', '"v2"', "*")
_NEARLY_CURSORS = (
    '["name", false, "x", "0190f3f0-0000-7000-8000-000000000000"]',
    '["-created_at", true, "2030-01-01T00:00:00+00:00", "0190f3f0-0000-7000-8000-000000000000"]',
    '["-at", false, "9999-12-31T23:59:59-14:00", 99999999999999999999]',
    '["code", false, {}, null]',
    '["username", false, "\\u0000", "0190f3f0-0000-7000-8000-000000000000"]',
    '["name", false, "\\ud800", "0190f3f0-0000-7000-8000-000000000000"]',
    "[",
)


@dataclass(frozen=True)
class Amount:
    """How much is tried: examples of each operation and, in the stateful phase, of walks; and the phases."""

    seed: int
    examples: int
    phases: Sequence[str] = PHASES


def config(stock: Stock, amount: Amount) -> SchemathesisConfig:
    """Return what schemathesis is told. Every run by the same seed sends the same."""
    dictionaries = _dictionaries(stock)
    return SchemathesisConfig.from_dict(
        {
            "seed": amount.seed,
            "workers": 1,
            "continue-on-failure": True,
            "cache": {"enabled": False},
            "suppress-health-check": ["all"],
            "request-timeout": 60,
            "generation": {
                "max-examples": amount.examples,
                "no-shrink": True,
                "database": "none",
                "with-security-parameters": False,
            },
            "checks": {
                "enabled": False,
                **{name: {"enabled": True} for name in CHECKS},
                "negative_data_rejection": {"enabled": True, "expected-statuses": _MAY_REFUSE},
                "positive_data_acceptance": {"enabled": True, "expected-statuses": _MAY_BECOME},
            },
            "phases": {phase: {"enabled": phase in amount.phases} for phase in PHASES},
            "dictionaries": {name: {"values": list(values)} for name, values in dictionaries.items()},
            "parameters": _everywhere(stock.names),
            "operations": [
                {
                    "include-path-regex": f"^/api/v1/{noun}/{{ref}}",
                    "parameters": {"path.ref": {"dictionary": f"ref-{noun}", "probability": _MOSTLY}},
                }
                for noun in stock.refs
            ],
        }
    )


def _dictionaries(stock: Stock) -> dict[str, Sequence[str]]:
    cursors = [base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=") for plain in _NEARLY_CURSORS]
    return {
        **stock.names,
        **{f"ref-{noun}": refs for noun, refs in stock.refs.items()},
        "cursor": cursors,
        "tag": _TAGS,
        "sort": ["name", "-name", "code", "-created_at", "created_at", "username", "-at"],
    }


def _everywhere(names: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    lists = {"subnets", "ids"}
    bodies = [(f"body.{field}" + ("[*]" if field in lists else ""), field) for field in names]
    rows = [(f"body.vms[*].{field}", field) for field in ("system", "image", "flavor")]
    queries = [(f"query.{field}", field) for field in names if field not in lists]
    mostly = {key: {"dictionary": name, "probability": _MOSTLY} for key, name in (*bodies, *rows)}
    often = {
        key: {"dictionary": name, "probability": _OFTEN}
        for key, name in (*queries, ("query.cursor", "cursor"), ("query.sort", "sort"), ("header.If-Match", "tag"))
    }
    return {**mostly, **often, "body.vms[*].subnets[*]": {"dictionary": "subnets", "probability": _MOSTLY}}


def with_examples(document: dict[str, Any], stock: Stock) -> dict[str, Any]:
    """Return the description with an example wherever something is to be named, for the phase that varies examples."""
    for path, item in document["paths"].items():
        refs = stock.refs.get(path.removeprefix("/api/v1/").partition("/")[0], ())
        for operation in item.values():
            for parameter in operation.get("parameters", ()):
                if parameter["name"] == "ref" and refs:
                    parameter["example"] = refs[0]
    for schema in document["components"]["schemas"].values():
        for name, field in schema.get("properties", {}).items():
            if name in stock.names:
                field["example"] = [stock.names[name][0]] if field.get("type") == "array" else stock.names[name][0]
    return document
