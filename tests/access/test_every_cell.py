"""`make check-access` without the methods that Flask adds by itself, so that every run of the tests sees each route."""

from structlog.testing import capture_logs
from werkzeug.routing import Rule

from controlplane.bootstrap import Installation
from tests.access.matrix import IN, Cell, cells, missing
from tests.access.place import furnish
from tests.callers import Callers

DERIVED = frozenset({"HEAD", "OPTIONS"})


def test_every_route_answers_every_caller_as_the_policy_says(installation: Installation) -> None:
    place = furnish(installation)
    assert missing(place.http.app.url_map.iter_rules()) == []
    with capture_logs():
        tried = list(cells(place, DERIVED))
    assert [cell.wrong for cell in tried if cell.wrong] == []
    assert len(tried) > 5000


def test_a_route_that_the_table_does_not_know_is_wrong(installation: Installation) -> None:
    rules = [*Callers(installation).app.url_map.iter_rules(), Rule("/new", endpoint="console.new")]
    assert missing(rules) == ["console.new: a route that tests/access/routes.py does not know"]


def test_whoever_judges_sees_what_is_wrong() -> None:
    assert "500, not let in" in Cell("x", frozenset({IN}), "500", ()).wrong
    assert "tells of" in Cell("x", frozenset({IN}), IN, ("ours",)).wrong
    assert not Cell("x", frozenset({IN}), IN, ()).wrong
