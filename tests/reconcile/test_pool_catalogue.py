"""How the catalogue and a pool match: the sweep asks each pool once, keeps the answer, and tells what has changed."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, cast

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from controlplane import doctor, lookups
from controlplane.bootstrap import Installation
from controlplane.db import transaction
from controlplane.models import AuditEvent, PoolCatalogue, PoolCheck
from controlplane.reconcile.sweep import sweep
from controlplane.reports import pool_catalogue as report
from controlplane.services import catalogue, pools
from provisioners.contract import Unreachable
from provisioners.fake_driver import FakeCloud
from tests.people import ADMIN
from tests.reconcile.lab import Lab

ACTION = "pool.match_catalogue"


@pytest.fixture
def cloud(installation: Installation) -> Iterator[Lab]:
    """A lab whose one pool is a cloud; the catalogue offers Debian 12, which needs 10 GiB."""
    with Lab(installation) as made:
        change(made, connection={"node": "cloud", "cloud": True})
        yield made


def change(lab: Lab, **values: Any) -> None:
    with transaction(lab.sessions) as session:
        pools.update(session, ADMIN, "hv-01", values)


def over_there(lab: Lab) -> FakeCloud:
    return cast("FakeCloud", lab.driver())


def swept(lab: Lab, images: dict[str, int] | None = None) -> list[dict[str, Any]]:
    """Sweep a cloud that has just these images; return what was said of them in the log."""
    over_there(lab).set_images(**(images or {}))
    with capture_logs() as said:
        sweep(lab.sessions, lab.drivers)
    return [dict(line) for line in said if line["event"] == "catalogue.unmatched"]


def told(lab: Lab) -> list[dict[str, Any]]:
    with transaction(lab.sessions) as session:
        events = session.scalars(select(AuditEvent).where(AuditEvent.action == ACTION).order_by(AuditEvent.id))
        return [event.details for event in events]


def reported(lab: Lab) -> report.PoolCatalogueReport:
    with transaction(lab.sessions) as session:
        return report.of_pool(session, ADMIN, "hv-01")


def at(lab: Lab) -> datetime:
    kept = reported(lab).checked_at
    assert kept is not None
    return kept


def doctors(lab: Lab) -> str:
    [found] = [f for f in doctor.examine(lab.installation) if f.check == "catalogue"]
    return found.found


def test_the_sweep_keeps_what_each_offered_image_and_size_is_in_the_pool(cloud: Lab) -> None:
    assert reported(cloud).checked_at is None
    swept(cloud, {"debian-12": 10, "rocky-9": 20})
    found = reported(cloud)
    [image], [flavor] = found.images, found.flavors
    assert (image.name, image.match.code, image.match.by, image.match.trouble) == (
        "Debian 12",
        "debian-12",
        "name",
        None,
    )
    assert (flavor.name, flavor.match.code, flavor.match.id) == ("Small", "small", None)
    assert (found.unusable, found.others, found.others_count) == (0, ("rocky-9",), 1)
    assert told(cloud) == []


def test_a_pool_is_asked_once_a_sweep(cloud: Lab) -> None:
    swept(cloud, {"debian-12": 10})
    assert [step for step, _ in over_there(cloud).calls].count("match_catalogue") == 1


def test_an_image_that_is_missing_is_told_once_and_so_is_its_coming(cloud: Lab) -> None:
    [said] = swept(cloud)
    assert (said["pool"], said["images"], said["log_level"]) == ("hv-01", {"debian-12": "missing"}, "warning")
    assert swept(cloud) == []
    [again] = swept(cloud, {"debian-12": 40})
    assert again["images"] == {"debian-12": "too_large"}
    assert swept(cloud, {"debian-12": 10}) == []
    assert told(cloud) == [
        {"unusable": 1, "worse": {"debian-12": "missing"}, "mended": []},
        {"unusable": 1, "worse": {"debian-12": "too_large"}, "mended": []},
        {"unusable": 0, "worse": {}, "mended": ["debian-12"]},
    ]


def test_a_report_that_did_not_change_is_younger_by_a_sweep(cloud: Lab) -> None:
    swept(cloud)
    before = at(cloud)
    swept(cloud)
    assert at(cloud) > before


def test_an_image_that_is_not_offered_is_not_looked_for(cloud: Lab) -> None:
    with transaction(cloud.sessions) as session:
        catalogue.update(session, ADMIN, lookups.image_for(session, ADMIN, "debian-12"), {"offered": False})
    swept(cloud)
    assert reported(cloud).images == []
    assert told(cloud) == []


def test_a_pool_that_takes_nothing_lacks_nothing_that_anybody_is_warned_of(cloud: Lab) -> None:
    change(cloud, accepting=False)
    assert swept(cloud) == []
    assert reported(cloud).unusable == 1
    assert doctors(cloud) == "no pool is known to lack an offered image"


def test_the_doctor_names_the_pools_that_lack_an_offered_image(cloud: Lab) -> None:
    swept(cloud)
    assert doctors(cloud) == "offered images of which no VM can be made in hv-01"


def test_an_image_that_is_reported_missing_can_still_be_asked_for(cloud: Lab) -> None:
    swept(cloud)
    web = cloud.ask()
    assert cloud.look(web) == "underway"


def test_a_pool_that_does_not_tell_keeps_its_last_report_and_is_checked_for_all_else(cloud: Lab) -> None:
    swept(cloud)
    before = at(cloud)
    over_there(cloud).fail_next("match_catalogue", Unreachable("Glance is away"))
    assert swept(cloud, {"debian-12": 10}) == []
    assert at(cloud) == before
    with transaction(cloud.sessions) as session:
        assert session.get_one(PoolCheck, cloud.pool().id).trouble == "Glance is away"


def test_a_driver_that_knows_nothing_of_images_leaves_no_report(installation: Installation) -> None:
    with Lab(installation) as lab:
        sweep(lab.sessions, lab.drivers)
        with transaction(lab.sessions) as session:
            assert session.scalars(select(PoolCatalogue)).all() == []


def test_an_image_that_has_left_the_catalogue_since_is_told_by_its_code(cloud: Lab) -> None:
    swept(cloud)
    with transaction(cloud.sessions) as session:
        catalogue.delete_entry(session, ADMIN, lookups.image_for(session, ADMIN, "debian-12"))
    assert [(line.name, line.match.code) for line in reported(cloud).images] == [(None, "debian-12")]
