"""A little of `make fuzz`, with two roles, so that every run of the tests sees that the API is as it is described."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from controlplane.bootstrap import Installation
from controlplane.db import make_engine, make_sessions
from controlplane.settings import Settings
from tests.cli.processes import short_folder
from tests.fuzz.fault import SERVER_ERROR, Fault, Found
from tests.fuzz.identity import Bearer, carry
from tests.fuzz.odd import Odd, judged
from tests.fuzz.plan import Amount
from tests.fuzz.run import hear, run, schema_of
from tests.fuzz.stock import Stock, stocked
from tests.serving import served

SITES = "/api/v1/sites"


@pytest.fixture
def stock(url: str) -> Iterator[Stock]:
    with short_folder() as folder:
        engine = make_engine(url, pool_size=20)
        yield stocked(Installation(Settings(database_url=url, state_dir=folder), url, engine, make_sessions(engine)))


@pytest.mark.parametrize(("who", "examples", "well"), [("system_admin", 2, 35), ("department_manager", 1, 25)])
def test_whatever_is_sent_is_answered_as_described(stock: Stock, who: str, examples: int, well: int) -> None:
    found = run(stock, who, Amount(1, examples, ("fuzzing",)))
    assert [str(fault) for fault in found.faults] == []
    assert len({operation for operation, _ in found.answered}) > 70
    assert len(found.succeeded) >= well, "nothing is seen of what is only ever refused"


def test_an_answer_that_is_not_described_is_found_and_a_token_that_was_ended_is_replaced(stock: Stock) -> None:
    with stock.copy() as installation, served(installation, STEPPE_WEB_WORKERS="1") as url:
        bearer = Bearer(installation, url, "system_admin")
        document = bearer.ask("/api/v1/openapi.json").json()
        document["paths"] = {SITES: document["paths"][SITES]}
        del document["paths"][SITES]["post"]["responses"]["422"]
        bearer.secret = "ended"
        schema = schema_of(document, url, stock, Amount(1, 5, ("fuzzing",)))
        carry(schema, bearer)
        found = Found("fuzzing", "system_admin")
        hear(schema, found)
    assert {(fault.check, fault.operation) for fault in found.faults} == {("status_code_conformance", f"POST {SITES}")}
    assert all(fault.request_id and "curl" in fault.curl for fault in found.faults)
    assert bearer.renewed == 1
    assert f"GET {SITES}" in found.succeeded


def test_whoever_judges_what_is_odd_sees_what_is_wrong() -> None:
    odd = Odd("GET /x", {"422": {}}, "get", b"/x")
    right = b'{"code": "", "detail": "", "status": 422, "request_id": ""}'
    answers = {
        None: (422, "application/problem+json", "1", right),
        SERVER_ERROR: (500, "application/problem+json", "1", right),
        "status_code_conformance": (0, "", "", b""),
        "content_type_conformance": (422, "text/html", "1", right),
        "response_schema_conformance": (422, "application/problem+json", "1", b"{}"),
    }
    for check, answer in answers.items():
        wrong = judged(odd, *answer)
        assert (wrong and wrong[0]) == check


def test_server_errors_and_violations_are_counted_apart() -> None:
    bug = Fault(SERVER_ERROR, "GET /x", "", "", "")
    found = Found("fuzzing", "auditor", faults=[bug, replace(bug, check="ignored_auth")])
    assert (found.server_errors, len(found.faults)) == (1, 2)
