"""A pool's page in a real browser: hard on nobody, in either language, wide or narrow."""

import pytest
from playwright.sync_api import Browser

from controlplane.reconcile.sweep import sweep
from provisioners.fake_driver import FakeCloud, connect
from tests.browser.test_the_console import browsing, sign_in, troubles_of
from tests.callers import Callers
from tests.web.visitors import Visitors


@pytest.mark.parametrize("size", ["wide", "narrow"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_of_a_pool_is_hard_on_nobody_and_no_wider_than_the_screen(
    chromium: Browser, address: str, http: Callers, visit: Visitors, language: str, size: str
) -> None:
    connection = {"node": "hv-01", "cloud": True}
    http.admin.patch("/pools/hv-01", {"connection": connection})
    http.admin.post("/images", {"code": "kylin-v10", "name": "麒麟 V10", "os": "linux", "min_disk_gib": 10})
    region = connect(connection, http.installation.settings.state_dir / "nodes")
    assert isinstance(region, FakeCloud)
    region.set_images(**{"debian-12": 10, "rocky-9-a-long-name-of-an-image-that-nobody-offers": 10})
    sweep(http.sessions, http.drivers)
    with browsing(chromium, address, language, size) as page:
        sign_in(page, visit, "admin")
        page.goto("/pools/hv-01")
        assert troubles_of(page, "pool") == []
