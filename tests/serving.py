"""The web server of an installation as a process of its own, started as `steppe up` starts it, on the loopback."""

from collections.abc import Iterator
from contextlib import contextmanager

from bench.servers import process, until_served
from controlplane.bootstrap import Installation
from controlplane.cli import up
from controlplane.settings import Settings
from tests.cli.processes import environment, free_port


@contextmanager
def served(installation: Installation, **settings: str) -> Iterator[str]:
    """Give the address of the web server. `settings` are variables of its environment; its log is `web.log`."""
    state, port = installation.settings.state_dir, free_port()
    listen = f"127.0.0.1:{port}"
    env = environment(
        state, STEPPE_LISTEN=listen, STEPPE_DATABASE_URL=installation.url, STEPPE_LOG_FORMAT="json", **settings
    )
    [web, *_] = up.children(Settings(state_dir=state, listen=listen), installation.url)
    log = state / "web.log"
    with process(web.command, env, log):
        until_served(port, log)
        yield f"http://{listen}"
