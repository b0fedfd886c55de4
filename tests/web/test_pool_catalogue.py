"""How the catalogue and a pool match, by the API, the command line and the console."""

import csv
import io
import json
from typing import Any

import pytest
from click.testing import CliRunner

from controlplane.cli import steppe as command
from controlplane.reconcile.sweep import sweep
from controlplane.settings import settings
from provisioners.fake_driver import FakeCloud, connect
from tests.callers import Callers
from tests.web.visitors import Visitors

IMAGE = {"os": "linux", "min_disk_gib": 10}


@pytest.fixture
def cloud(http: Callers) -> Callers:
    """A centre with a cloud that has one of three offered images, another one that is too large, and one of its own."""
    connection = {"node": "hv-01", "cloud": True}
    assert http.admin.patch("/pools/hv-01", {"connection": connection}).status_code == 200
    for code, name in (("kylin-v10", "麒麟 V10"), ("rocky-9", "Rocky 9")):
        assert http.admin.post("/images", {"code": code, "name": name, **IMAGE}).status_code == 201
    region = connect(connection, http.installation.settings.state_dir / "nodes")
    assert isinstance(region, FakeCloud)
    region.set_images(**{"debian-12": 10, "kylin-v10": 40, "=cmd()": 1})
    return http


@pytest.fixture
def swept(cloud: Callers) -> Callers:
    """The same after a sweep."""
    sweep(cloud.sessions, cloud.drivers)
    return cloud


@pytest.fixture
def steppe(http: Callers, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command on the test's own database."""
    monkeypatch.setenv("STEPPE_DATABASE_URL", http.installation.url)
    monkeypatch.setenv("STEPPE_STATE_DIR", str(http.installation.settings.state_dir))
    monkeypatch.setenv("STEPPE_LOG_LEVEL", "error")
    settings.cache_clear()
    yield lambda *words: CliRunner().invoke(command, words)
    settings.cache_clear()


def test_the_report_says_of_each_image_and_size_what_it_is_in_the_pool(swept: Callers) -> None:
    found = swept.admin.get("/pools/hv-01/catalogue").json
    assert found["pool"] == "hv-01" and found["checked_at"].endswith("Z") and found["unusable"] == 2
    images = {image["code"]: (image["matched_by"], image["trouble"], image["amount"]) for image in found["images"]}
    assert images == {
        "debian-12": ("name", None, None),
        "kylin-v10": ("name", "too_large", 40),
        "rocky-9": (None, "missing", None),
    }
    assert found["flavors"] == [{"code": "small", "name": "Small", "found": None, "found_name": None}]
    assert found["others"] == {"names": ["=cmd()"], "count": 1}


def test_a_pool_that_was_never_swept_has_an_empty_report(cloud: Callers) -> None:
    found = cloud.admin.get("/pools/hv-01/catalogue").json
    assert (found["checked_at"], found["images"], found["unusable"]) == (None, [], 0)


def test_a_department_is_told_nothing_of_it(swept: Callers) -> None:
    assert swept.ours.get("/pools/hv-01/catalogue").status_code == 403
    assert swept.audit.get("/pools/hv-01/catalogue").status_code == 200
    assert swept.admin.get("/pools/nowhere/catalogue").status_code == 404


def test_the_command_prints_a_table_csv_or_json(swept: Callers, steppe: Any) -> None:
    shown = steppe("pool", "catalogue", "hv-01")
    assert shown.exit_code == 0 and "too_large" in shown.stdout and "looked at 20" in shown.stderr
    rows = json.loads(steppe("pool", "catalogue", "hv-01", "--format", "json").stdout)
    assert [(row["kind"], row["code"], row["trouble"]) for row in rows] == [
        ("image", "debian-12", None),
        ("image", "kylin-v10", "too_large"),
        ("image", "rocky-9", "missing"),
        ("flavor", "small", None),
        ("other", None, None),
    ]
    text = steppe("pool", "catalogue", "hv-01", "--format", "csv").stdout
    cells = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert [row["amount"] for row in cells if row["code"] == "kylin-v10"] == ["40"]
    assert cells[-1]["found_name"] == "'=cmd()", "what a spreadsheet would run is text"


def test_the_command_says_of_a_pool_that_was_never_swept_that_it_was_not(cloud: Callers, steppe: Any) -> None:
    shown = steppe("pool", "catalogue", "hv-02")
    assert (shown.stdout, shown.stderr) == ("nothing\n", "no sweep has told of it yet\n")


def test_the_page_of_a_pool_shows_first_what_cannot_be_used(swept: Callers, visit: Visitors) -> None:
    page = visit("admin").get("/pools/hv-01")
    rows = page.texts("//tbody/tr")
    assert len(rows) == 5
    assert "麒麟 V10" in rows[0] and "Needs a disk of 40 GiB" in rows[0]
    assert "Rocky 9" in rows[1] and "Not there" in rows[1]
    assert "Not offered" in rows[-1]
    assert "Of 2 images that are offered no machine can be made here" in page.text()
    assert page.all("//*[@id='catalogue']//time")


def test_the_page_is_told_in_chinese_as_well(swept: Callers, visit: Visitors) -> None:
    page = visit("auditor").speak("zh").get("/pools/hv-01")
    rows = page.texts("//tbody/tr")
    assert "需要 40 GiB 磁盘" in rows[0] and "不存在" in rows[1]
    assert "目录与资源池对照" in page.text()
    assert "首次申请时创建" in page.text() and "There" not in page.text("//main")


def test_what_cannot_be_used_is_listed_alone_and_taken_out_as_a_file(swept: Callers, visit: Visitors) -> None:
    browser = visit("operator")
    assert len(browser.get("/pools/hv-01?shown=trouble").texts("//tbody/tr")) == 2
    text = browser.get("/pools/hv-01/catalogue.csv?kind=other").answer.text
    assert "'=cmd()" in text and "Rocky 9" not in text


def test_a_pool_that_was_never_swept_says_so_on_its_page(cloud: Callers, visit: Visitors) -> None:
    page = visit("admin").get("/pools/hv-01")
    assert page.status == 200 and "Not told yet" in page.text()


def test_the_overview_leads_to_the_pools_that_lack_an_offered_image(swept: Callers, visit: Visitors) -> None:
    browser = visit("admin")
    [link] = browser.get("/").all("//*[@id='pools']//a[contains(@href, 'shown=trouble')]")
    assert "2 images cannot be used" in " ".join(link.text_content().split())
    assert link.get("href").startswith("/pools/hv-01?")
    swept.admin.patch("/pools/hv-01", {"accepting": False})
    assert not browser.get("/").all("//*[@id='pools']//a[contains(@href, 'shown=trouble')]")


def test_the_trail_says_in_words_that_it_changed(swept: Callers, visit: Visitors) -> None:
    page = visit("audit").get("/audit")
    assert "Images of a pool compared with the catalogue: changed" in page.text()
