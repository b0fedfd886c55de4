"""Every route × every method × every caller over HTTP, each answer held against what the table and the policy say."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from controlplane.policy import ACTIONS
from tests.access.callers import Caller, everybody
from tests.access.place import HIDDEN_MACHINE, HIDDEN_SYSTEM, Place
from tests.access.routes import OPEN, ROUTES, Route

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_ASSETS = frozenset({"static", "docs.static"})
SIGN_OUT = "console.sign_out"
_CHOSEN = {"console.vms_bulk": "vms", "console.vpn_accounts_bulk": "vpn_accounts"}
"""Forms that say which things were chosen in a list."""
_NAMES = (HIDDEN_MACHINE, HIDDEN_SYSTEM)

IN, TO_SIGN_IN, TO_ITS_PAGE, FORGED = "let in", "to sign-in", "to its own page", "refused as forged"
"""What may become of a request besides a status."""
Wanted = frozenset[str]


@dataclass(frozen=True)
class Cell:
    """One request, what it had to become and what it became; `leaked` is what it told of another department."""

    name: str
    wanted: Wanted
    became: str
    leaked: tuple[str, ...]

    @property
    def wrong(self) -> str:
        """What is wrong, nothing where all is right."""
        if self.became not in self.wanted:
            return f"{self.name}: {self.became}, not {' or '.join(sorted(self.wanted))}"
        return f"{self.name}: tells of {', '.join(self.leaked)}" if self.leaked else ""


def missing(rules: Iterable[Rule]) -> list[str]:
    """Return what is wrong with the table itself: routes that it does not know, and such as are no more."""
    served, known = {rule.endpoint for rule in rules}, {route.endpoint for route in ROUTES}
    unknown_action = {a for route in ROUTES for a in route.actions if a != OPEN and a not in ACTIONS}
    return [
        *(f"{endpoint}: a route that tests/access/routes.py does not know" for endpoint in sorted(served - known)),
        *(f"{endpoint}: in tests/access/routes.py, but served no more" for endpoint in sorted(known - served)),
        *(f"{action}: in tests/access/routes.py, but in no policy" for action in sorted(unknown_action)),
    ]


@dataclass(frozen=True)
class Ask:
    """One method of one route of the table, where it is served."""

    rule: Rule
    route: Route
    method: str

    @property
    def last(self) -> bool:
        """Whether nothing can be asked after it."""
        return self.route.endpoint == SIGN_OUT


def asks(place: Place, but: frozenset[str] = frozenset()) -> list[Ask]:
    """Return all there is to ask, with every method but these."""
    found = [
        Ask(rule, route, method)
        for rule in place.http.app.url_map.iter_rules()
        for route in ROUTES
        for method in sorted((rule.methods or set()) - but)
        if route.endpoint == rule.endpoint
    ]
    return sorted(found, key=lambda ask: ask.last)


def cells(place: Place, but: frozenset[str] = frozenset()) -> Iterator[Cell]:
    """Try everything with everybody."""
    for caller in everybody(place):
        for ask in asks(place, but):
            if caller.how != "forged" or ask.method in WRITES:
                yield _tried(place, caller, ask)


def send(place: Place, caller: Caller, ask: Ask) -> TestResponse:
    """Ask it. A write at the API is a dry run."""
    route, path = ask.route, place.path(ask.rule, ask.route.verb)
    if ask.method not in WRITES:
        return caller.client.open(path + route.query, method=ask.method, headers=caller.headers)
    headers = {**caller.headers, "X-CSRFToken": caller.form_token()}
    if path.startswith("/api/"):
        sent = {"ids": [place.refs["vms"]]} if route.endpoint == "vms.act_many" else route.sent
        return caller.client.open(f"{path}?dry_run=true", method=ask.method, headers=headers, json=dict(sent))
    chosen = _CHOSEN.get(route.endpoint)
    form = {"id": place.refs[chosen], **route.sent} if chosen else dict(route.sent)
    return caller.client.open(path, method=ask.method, headers=headers, data=form)


def _tried(place: Place, caller: Caller, ask: Ask) -> Cell:
    answer = send(place, caller, ask)
    name = f"{caller.name}: {ask.method} {place.path(ask.rule, ask.route.verb)}"
    return Cell(name, wanted(caller, ask), became(answer, ask.route, caller), _leaked(place, caller, answer))


def _leaked(place: Place, caller: Caller, answer: TestResponse) -> tuple[str, ...]:
    """Return what of the other department's an answer names to who may not know of it."""
    if caller.sees and caller.role:
        return ()
    return tuple(what for what in (*_NAMES, place.address) if what in answer.text)


def may(caller: Caller, action: str) -> bool:
    """Tell whether a caller may do `action`, by the policy's table and by what its token was narrowed to."""
    if caller.narrowed is not None and action not in caller.narrowed:
        return False
    return caller.role in ACTIONS[action] and (not caller.confined or "department_manager" in ACTIONS[action])


def wanted(caller: Caller, ask: Ask) -> Wanted:
    """Return what may become of a request: any one of these is right."""
    route, method, api = ask.route, ask.method, ask.rule.rule.startswith("/api/v1/")
    welcome = frozenset({IN, *map(str, route.says)})
    if caller.how in {"forged", "forged nobody"} and method in WRITES and (caller.role or route.open):
        return frozenset({FORGED})
    if route.open:
        # A dead token is told so even where none is needed.
        told = caller.how == "dead token" and route.endpoint not in _ASSETS
        return welcome | {"401"} if told else welcome
    if caller.role is None or caller.how == "dead session":
        return frozenset({"401"} if api or caller.how == "dead token" else {TO_SIGN_IN})
    if caller.how == "half in":
        here = route.endpoint.startswith("console.second_factor") or ask.last
        return welcome if here else frozenset({"403"} if api else {TO_ITS_PAGE})
    wants = _by_policy(caller, route, method)
    return welcome if wants == IN else frozenset({wants})


def _by_policy(caller: Caller, route: Route, method: str) -> str:
    if method == "OPTIONS":
        return IN
    elsewhere = route.owned and not caller.sees
    *first, action = route.actions
    refusals = (
        (route.by_token and caller.how == "token", str(route.by_token)),
        (not all(may(caller, a) for a in first), "403"),
        (route.seen_by and (elsewhere or not may(caller, route.seen_by)), "404"),
        (not may(caller, action), "403"),
        (elsewhere, str(route.elsewhere)),
    )
    return next((refusal for refused, refusal in refusals if refused), IN)


def became(answer: TestResponse, route: Route, caller: Caller) -> str:
    """Return what became of a request, in the words of `wanted`."""
    status, to = answer.status_code, answer.headers.get("Location", "")
    if status == 302 and to.startswith("/sign-in?next="):
        return TO_SIGN_IN
    if status == 302 and caller.how == "half in" and to == "/second-factor":
        return TO_ITS_PAGE
    if status == 400 and "csrf" in answer.text:
        return FORGED
    refused = status in {401, 403, 404, 405} or (status == route.elsewhere and not caller.sees)
    return str(status) if status >= 500 or refused else IN
