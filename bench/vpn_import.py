"""Importing every VPN account of a region at the console: a CSV through its own pages.

Web server and worker are real, and the pages are read as often as a browser reads them. The last line tells how long it
took from sending the file until all accounts were there.
"""

import argparse
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import requests
from sqlalchemy import text
from sqlalchemy.orm import Session

from bench.servers import gunicorn, make_database, postgres, process, scratch
from controlplane import bootstrap
from controlplane.actor import system
from controlplane.db import transaction
from controlplane.services import catalogue, departments, pools, users, vpn_groups
from controlplane.services.users import NewUser
from controlplane.settings import Settings
from quotas.verify import verify

ROWS = 23_785
_EVERY_SECONDS = 0.5
_LONGEST_SECONDS = 600
_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
_STEP = re.compile(r'import-progress" role="status">\s*<p>([^<]*)</p>')
_PLENTY = 1_000_000


@dataclass
class Browser:
    """Somebody at the console."""

    address: str
    http: requests.Session

    def get(self, path: str) -> str:
        answer = self.http.get(self.address + path, timeout=60)
        answer.raise_for_status()
        return answer.text

    def post(self, path: str, form: str, said: dict[str, str], file: bytes | None = None) -> str:
        """Send the form of a page; return the path that it leads to."""
        token = _TOKEN.search(self.get(form))
        data = {"csrf_token": unescape(token[1]) if token else "", **said}
        files = {"file": ("all.csv", file)} if file else None
        answer = self.http.post(self.address + path, data=data, files=files, timeout=60, allow_redirects=False)
        if answer.status_code != 302:
            raise SystemExit(f"{path}: {answer.status_code} {answer.text[:2000]}")
        return str(answer.headers["Location"])


def main() -> None:
    """Make a centre, import the file, and print what it took."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=ROWS)
    rows = options.parse_args().rows
    with scratch() as folder, postgres(folder) as server:
        url = make_database(server, "ours")
        settings = Settings(database_url=url, state_dir=folder)
        with bootstrap.installation(settings, migrate=True) as installation:
            with transaction(installation.sessions) as session:
                password = _furnish(session)
            with _running(url, folder) as port:
                browser = Browser(f"http://127.0.0.1:{port}", requests.Session())
                browser.post("/sign-in", "/sign-in", {"user": "ma", "password": password})
                _measure(browser, rows)
            with installation.sessions() as session:
                used = session.scalar(text("SELECT used FROM ledger_accounts a JOIN departments d ON d.id = a.owner"))
                assert (used, list(verify(session))) == (rows, [])


def _measure(browser: Browser, rows: int) -> None:
    content = _file(rows)
    begun = time.perf_counter()
    page = browser.post("/vpn-import", "/vpn-import", {"department": "all"}, content)
    seen = _watch(browser, page, f"{page}/start")
    checked = time.perf_counter() - begun
    started = time.perf_counter()
    browser.post(f"{page}/start", page, {})
    seen |= _watch(browser, page, "/requests/")
    made = time.perf_counter() - started
    print(f"a file of {len(content) / 1024 / 1024:.1f} MiB: checked in {checked:.1f} s, made in {made:.1f} s")
    print(f"{len(seen)} different words of progress seen:", *sorted(seen), sep="\n  ")
    print(f"vpn import: {rows} rows in {checked + made:.1f} s")


def _watch(browser: Browser, page: str, until: str) -> set[str]:
    """Read an import's page as it renews itself until it leads on; return all that it said of its progress."""
    seen: set[str] = set()
    deadline = time.monotonic() + _LONGEST_SECONDS
    while True:
        shown = browser.get(page)
        step = _STEP.search(shown)
        if step is None:
            break
        seen.add(unescape(step[1]))
        if time.monotonic() > deadline:
            raise SystemExit(f"not over within {_LONGEST_SECONDS} s: {seen}")
        time.sleep(_EVERY_SECONDS)
    if until not in shown:
        raise SystemExit(f"the import came to nothing:\n{shown}")
    return seen


def _file(rows: int) -> bytes:
    lines = (f"王芳{n},E{n:06},{13_000_000_000 + n},wang{n}" for n in range(rows))
    return "\r\n".join(("姓名,工号,手机,用户名", *lines)).encode("gb18030")


@contextmanager
def _running(url: str, folder: Path) -> Iterator[int]:
    environment = {"STEPPE_DATABASE_URL": url, "STEPPE_STATE_DIR": str(folder), "STEPPE_LOG_FORMAT": "json"}
    worker = (sys.executable, "-m", "controlplane.cli", "worker")
    with (
        process(worker, {**os.environ, **environment}, folder / "worker.log"),
        gunicorn(sys.executable, "web.app:from_environment()", environment, folder / "web.log") as port,
    ):
        yield port


def _furnish(session: Session) -> str:
    """Make a department with a gateway, and its manager, who has signed in before; return her password."""
    actor = system("bench")
    site = {"code": "nm", "name": "nm", "name_en": "nm", "level": "region"}
    catalogue.create_site(session, actor, site)
    limits = {"vpn_account": _PLENTY}
    departments.create(session, actor, departments.NewDepartment("all", "all", "all", "nm", None, limits))
    connection = {"gateway": "vpn", "clients": "10.0.0.0/8"}
    capacity = {"vpn_account": pools.Capacity(_PLENTY)}
    pools.create(
        session, actor, pools.NewPool("vpn", "vpn", "vpn_account", "nm", 3, "fake_gateway", connection, capacity)
    )
    vpn_groups.create(session, actor, vpn_groups.NewGroup("vpn", "all"))
    made, password = users.create(session, actor, NewUser("ma", "ma", "department_manager", "all"))
    made.must_change_password, made.password_changed_at = False, datetime.now(UTC)
    return password or ""


if __name__ == "__main__":
    main()
