"""A real identity provider, started by the tests on loopback: node-oidc-provider, as `make setup` installs it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
import requests

HERE = Path(__file__).parent


class RealProvider:
    """The provider at `issuer`. `says` what is to be otherwise from now on."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.people: dict[str, dict[str, Any]] = {}

    def says(self, **settings: Any) -> None:
        requests.post(f"{self.issuer}/control", data=json.dumps(settings), timeout=60).raise_for_status()

    def knows(self, subject: str, login: str | None = None, groups: Any = (), **more: Any) -> None:
        """Know somebody by this subject, who signs in by it; `amr` and `acr` are how, all others are claims."""
        how = {name: more.pop(name) for name in ("amr", "acr") if name in more}
        claims = {"preferred_username": login or subject, "name": subject.title(), "groups": groups, **more}
        self.people[subject] = {"claims": claims, **how}
        self.says(people=self.people)

    def sign_in(self, url: str, subject: str) -> str:
        """Do what a browser does that is sent to `url`, as this subject; return the address it is sent back to."""
        with requests.Session() as browser:
            form = browser.get(url, timeout=60)
            form.raise_for_status()
            answer = browser.post(form.url, data={"user": subject}, timeout=60, allow_redirects=False)
            while answer.is_redirect:
                to = urljoin(answer.url, answer.headers["Location"])
                if not to.startswith(self.issuer):
                    return to
                answer = browser.get(to, timeout=60, allow_redirects=False)
        raise AssertionError(f"the provider kept the browser: {answer.status_code} {answer.text[:500]}")


def node() -> str:
    """Return the node to run it by: the machine's, or that which `make setup` brought."""
    brought = Path(sys.prefix) / "node" / "bin" / "node"
    found = shutil.which("node") or (str(brought) if brought.exists() else None)
    if found is None or not (HERE / "node_modules").is_dir():
        pytest.skip("NO IDENTITY PROVIDER: run `make setup`, which installs it")
    return found


@contextmanager
def running() -> Iterator[RealProvider]:
    """Give a provider that runs as long as the block."""
    command = [node(), str(HERE / "provider.mjs")]
    quiet = {**os.environ, "NODE_NO_WARNINGS": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=quiet)
    try:
        assert process.stdout
        issuer = next((line.strip() for line in process.stdout if line.startswith("http://127.0.0.1:")), "")
        assert issuer, "the identity provider did not start"
        yield RealProvider(issuer)
    finally:
        process.terminate()
        process.wait()
