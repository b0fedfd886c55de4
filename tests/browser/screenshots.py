"""The pictures of the guides: `make screenshots` takes them anew, of the model centre, as its people see it.

Not collected with the tests: it writes files and proves nothing. pngquant, of the Debian package of that name, makes
them small enough to be kept with the source.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select, text

from controlplane.bootstrap import Installation
from controlplane.centre.loader import Load, load
from controlplane.db import transaction
from controlplane.models import Department, Pool, Resource, System, User
from controlplane.reconcile.resource import reconcile
from controlplane.reconcile.sweep import sweep
from controlplane.secrets import keys
from controlplane.services import resources
from controlplane.services.resources import BulkOrder, Order
from controlplane.services.users import NewUser
from provisioners.contract import load_machine
from tests.accounts import Person, person
from tests.people import ADMIN
from web.app import create_app

HERE = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
LARGEST = 150_000
PNGQUANT = shutil.which("pngquant") or "pngquant"
PEOPLE = (
    NewUser("wang", "王芳", "system_admin"),
    NewUser("zhao", "赵敏", "security_admin"),
    NewUser("qian", "钱海", "audit_admin"),
    NewUser("bao", "包乌兰", "department_manager", "env-protection"),
    NewUser("li", "李强", "department_member", "env-protection"),
    NewUser("sun", "孙丽", "operator"),
    NewUser("zhou", "周建国", "auditor"),
)


class Model:
    """What `address` serves: an application on the model centre."""

    def __init__(self, installation: Installation) -> None:
        self.app = create_app(installation)
        self.sessions = installation.sessions


@pytest.fixture
def http(installation: Installation) -> Model:
    """The model centre, built, with a few machines stopped, changing and faulted."""
    sessions, drivers = installation.sessions, installation.drivers()
    asked = Load("inner-mongolia", keys(installation.settings), kinds=frozenset({"vm"}))
    load(sessions, asked, lambda *_progress: None)
    with transaction(sessions) as session:
        every = list(session.scalars(select(Resource.id).order_by(Resource.id)))
    for ref in every:
        reconcile(sessions, drivers, ref)
    with transaction(sessions) as session:
        resources.act_many(session, ADMIN, BulkOrder("vm", every[7:60:9], "stop"))
    for ref in every[7:60:9]:
        reconcile(sessions, drivers, ref)
    with transaction(sessions) as session:
        resources.act_many(session, ADMIN, BulkOrder("vm", [every[5], every[20]], "reboot"))
        resources.act(session, ADMIN, Order("vm", every[41], "resize", {"flavor": "gov.large"}))
        faulted = session.get_one(Resource, every[100])
        faulted.state, faulted.fault_code = "faulted", "driver.rejected"
        faulted.fault_detail = "存储池 default 空间不足：需要 200 GiB，剩余 64 GiB"
        behind = [session.get_one(Resource, every[number]) for number in (120, 150)]
        pools = [session.get_one(Pool, found.pool_id) for found in behind]
    lost, stopped = (load_machine(found.wanted) for found in behind)
    with transaction(sessions) as session:
        session.execute(text("DELETE FROM procrastinate_jobs"))  # all done above, without a worker
    of_lost, of_stopped = (drivers.of(pool.id, pool.driver, pool.connection) for pool in pools)
    of_lost.delete(lost.id)
    of_stopped.stop(stopped)
    sweep(sessions, drivers)
    return Model(installation)


@pytest.fixture
def staff(http: Model) -> dict[str, Person]:
    with transaction(http.sessions) as session:
        return {new.username: person(session, new, http.app.config["ENTRANCE"].keys) for new in PEOPLE}


@contextmanager
def browsing(
    chromium: Browser, address: str, who: Person, language: str = "zh-CN", size: tuple[int, int] = (1280, 800)
) -> Iterator[Page]:
    context = chromium.new_context(
        base_url=address, viewport={"width": size[0], "height": size[1]}, locale=language, reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto("/sign-in")
    page.fill("#field-user", who.username)
    page.fill("#field-password", who.password)
    page.press("#field-password", "Enter")
    page.wait_for_url("**/second-factor")
    page.fill("#field-code", who.codes.pop())
    page.press("#field-code", "Enter")
    page.wait_for_url(lambda url: "second-factor" not in url)
    yield page
    context.close()


def keep(page: Page, name: str) -> None:
    page.wait_for_load_state("networkidle")
    path = HERE / f"{name}.png"
    page.screenshot(path=path)
    subprocess.run([PNGQUANT, "--force", "--skip-if-larger", "--output", path, "64", path], check=False)
    assert path.stat().st_size <= LARGEST, f"{name}: {path.stat().st_size} bytes"


def test_the_pictures_of_the_guide_are_taken(
    chromium: Browser, address: str, http: Model, staff: dict[str, Person]
) -> None:
    wang = staff["wang"]
    with transaction(http.sessions) as session:
        department = session.scalars(select(Department.id).where(Department.code == "env-protection")).one()
        system = session.scalars(select(System.id).where(System.code == "env-monitoring")).one()
        faulted = session.scalars(select(Resource.id).where(Resource.state == "faulted")).one()
        running = select(Resource.id).where(Resource.system_id == system, Resource.state == "running")
        machine = session.scalars(running.order_by(Resource.name).limit(1)).one()
    with browsing(chromium, address, wang) as page:
        for name, path in (
            ("vms", "/vms?department=env-protection"),
            ("vm", f"/vms/{machine}"),
            ("vm-faulted", f"/vms/{faulted}"),
            ("vm-usage", f"/vms/{machine}?tab=usage"),
            ("departments", "/departments?sort=name&q=内蒙古自治区"),
            ("department", f"/departments/{department}"),
            ("systems", "/systems?department=env-protection"),
            ("search", "/search?q=环境"),
            ("drift", "/drifts"),
            ("account", "/account"),
        ):
            page.goto(path)
            keep(page, name)
        page.set_viewport_size({"width": 1280, "height": 1120})
        page.goto("/")
        keep(page, "overview")
        page.set_viewport_size({"width": 1280, "height": 800})
        page.goto("/vms?department=env-protection")
        for box in page.locator("[data-select]").all()[:3]:
            box.check()
        page.locator(".bulk button[value=delete]").click()
        keep(page, "delete-many")
        page.set_viewport_size({"width": 1280, "height": 960})
        page.goto("/vms/new?department=env-protection&system=env-monitoring")
        page.fill("#field-name", "air-app")
        page.fill("#field-count", "3")
        expect(page.locator("#impact .impact-good")).to_be_visible()
        keep(page, "ask")
        page.set_viewport_size({"width": 1280, "height": 640})
        page.goto(f"/vms/{machine}/resize")
        page.select_option("#field-flavor", "mem.xlarge")
        expect(page.locator("#impact .impact-state")).to_be_visible()
        keep(page, "resize")
        page.goto(f"/departments/{department}/quota")
        page.fill("#field-vcpu", "120")
        expect(page.locator("#impact .short")).to_be_visible()
        keep(page, "limits")
    with browsing(chromium, address, wang, "en-GB") as page:
        page.goto("/vms?state=running")
        keep(page, "vms-en")
    with browsing(chromium, address, wang, "zh-CN", (375, 760)) as page:
        page.goto(f"/vms/{faulted}")
        keep(page, "vm-narrow")


def test_the_pictures_of_security_and_audit_are_taken(
    chromium: Browser, address: str, http: Model, staff: dict[str, Person]
) -> None:
    with transaction(http.sessions) as session:
        manager = session.scalars(select(User.id).where(User.username == "bao")).one()
    context = chromium.new_context(base_url=address, viewport={"width": 1280, "height": 640}, locale="zh-CN")
    page = context.new_page()
    page.goto("/sign-in")
    keep(page, "sign-in")
    page.fill("#field-user", "zhao")
    page.fill("#field-password", staff["zhao"].password)
    page.press("#field-password", "Enter")
    page.wait_for_url("**/second-factor")
    keep(page, "second-factor")
    context.close()
    pictures = {
        "zhao": (
            ("users", "/users"),
            ("user", f"/users/{manager}"),
            ("user-new", "/users/new"),
            ("user-remove", f"/users/{manager}/remove"),
            ("token-new", "/tokens/new"),
            ("policy", "/policy"),
            ("security", "/security"),
        ),
        "qian": (("audit", "/audit"),),
    }
    for who, pages in pictures.items():
        with browsing(chromium, address, staff[who]) as page:
            for name, path in pages:
                page.goto(path)
                keep(page, name)
