"""A real Chromium on the real application, on a port of its own. Skipped, and said so, where none is installed."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from werkzeug.serving import make_server

from tests.callers import Callers
from tests.web.visitors import Visitors

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("NO BROWSER TESTS: there is no chromium; apt-get install chromium fonts-noto-cjk")
    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visit(http: Callers) -> Visitors:
    """Makes the people who sign in."""
    return Visitors(http)


@pytest.fixture
def address(http: Callers) -> Iterator[str]:
    """Where the application is served."""
    with served(http) as url:
        yield url


@contextmanager
def served(http: Callers) -> Iterator[str]:
    """Serve an application as long as the block; give its address."""
    server = make_server("127.0.0.1", 0, http.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
