"""One run: everything that one caller may send to the whole API, and what was wrong with the answers."""

import re
import time
from collections.abc import Iterator
from typing import Any

import schemathesis
from schemathesis.engine import Status, events, from_schema
from schemathesis.engine.recorder import CheckNode, ScenarioRecorder
from schemathesis.schemas import BaseSchema

from controlplane.bootstrap import configure_logging
from controlplane.settings import Settings
from tests.fuzz.fault import Fault, Found
from tests.fuzz.identity import NOBODY, Bearer, carry
from tests.fuzz.odd import odd_run
from tests.fuzz.plan import ODD, PHASES, Amount, config, with_examples
from tests.fuzz.stock import Stock
from tests.serving import served

_DESCRIPTION = "/api/v1/openapi.json"


def run(stock: Stock, who: str, amount: Amount) -> Found:
    """Fuzz a copy of the centre as one caller."""
    began, found = time.monotonic(), Found("+".join(amount.phases), who)
    with stock.copy() as installation, served(installation, STEPPE_WEB_WORKERS="1") as url:
        bearer = Bearer(installation, url, "auditor" if who == NOBODY else who)
        document = bearer.ask(_DESCRIPTION).json()
        if ODD in amount.phases:
            odd_run(url, "" if who == NOBODY else bearer.secret, document, stock, found)
        if set(PHASES) & set(amount.phases):
            schema = schema_of(document, url, stock, amount)
            if who != NOBODY:
                carry(schema, bearer)
            hear(schema, found)
        found.renewed = bearer.renewed
    found.seconds = time.monotonic() - began
    return found


def quiet() -> None:
    """Have this process tell of errors alone."""
    configure_logging(Settings(log_level="error"))


def schema_of(document: dict[str, Any], url: str, stock: Stock, amount: Amount) -> BaseSchema:
    """Return what schemathesis makes of a description."""
    schema = schemathesis.openapi.from_dict(with_examples(document, stock), config=config(stock, amount))
    schema.config.update(base_url=url)
    return schema


def hear(schema: BaseSchema, found: Found) -> None:
    """Have schemathesis send what it makes up, and add to `found` what comes of it."""
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            found.calls += len(event.recorder.interactions)
            found.faults += _faults(event.recorder)
            _count(found, event.recorder)
        elif isinstance(event, events.NonFatalError):
            found.faults.append(Fault("schemathesis", event.label, str(event.value), "-", ""))
        elif isinstance(event, events.FatalError):
            raise event.exception


def _count(found: Found, recorder: ScenarioRecorder) -> None:
    for case, interaction in recorder.interactions.items():
        if interaction.response is not None:
            operation = recorder.cases[case].value.operation.label
            found.answered[operation, interaction.response.status_code] += 1


def _faults(recorder: ScenarioRecorder) -> Iterator[Fault]:
    for case, checks in recorder.checks.items():
        for check in checks:
            if check.status == Status.FAILURE:
                yield _fault(recorder, case, check)


def _fault(recorder: ScenarioRecorder, case: str, check: CheckNode) -> Fault:
    assert check.failure_info is not None
    failure = check.failure_info.failure
    answer = recorder.find_response(case_id=failure.case_id or case)
    ids = answer.headers.get("x-request-id", ()) if answer else ()
    why = re.sub(r"\s+", " ", f"{failure.title}: {failure.message}")
    return Fault(check.name, failure.operation, why[:500], check.failure_info.code_sample, "".join(ids))
