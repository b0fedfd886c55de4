"""Running Steppe: all of it in one supervised process tree, or the web server or a worker alone."""

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import click
from rich.console import Console
from rich.table import Table

from controlplane import bootstrap
from controlplane import console_proxy as consoles
from controlplane import worker as work
from controlplane.asks.routing import Applies, StepOf
from controlplane.bootstrap import Installation
from controlplane.centre.data_files import models
from controlplane.centre.loader import Load, is_loaded
from controlplane.cli.identity_provider import identity_provider
from controlplane.cli.listening import refuse_taken, until_served
from controlplane.cli.output import opened, operator
from controlplane.cli.progress import load_with_progress, wait_with_progress
from controlplane.cli.supervisor import Child, ChildFailed, Supervisor
from controlplane.db import transaction
from controlplane.errors import AlreadyExists
from controlplane.secrets import keys
from controlplane.services import routing, users
from controlplane.services.routing import RuleOf
from controlplane.services.users import NewUser
from controlplane.settings import Settings, settings

_DEMO = (
    *users.FIRST,
    NewUser("manager", "环保厅管理员", "department_manager", "env-protection"),
    NewUser("member", "环保厅职员", "department_member", "env-protection"),
    NewUser("env-api", "环保厅程序", "department_manager", "env-protection", service=True),
    NewUser("tax-api", "税务局程序", "department_manager", "state-tax", service=True),
)
_DEMO_RULE = RuleOf(
    "五台以上的虚拟机",
    "five machines and more",
    enabled=True,
    applies=Applies(do=["create"], kind="vm", amounts={"vm": 5}, mlps_level=None),
    steps=[StepOf(role="department_manager", stage=1, hours=24), StepOf(role="system_admin", stage=2, hours=72)],
)
_console = Console(stderr=True)

Children = Callable[[Settings, str], list[Child]]


@click.command()
@click.option("--centre", "name", type=click.Choice(models()), help="Load this model centre on the first start.")
def up(name: str | None) -> None:
    """Start everything: database, migrations, web server, console proxy and worker. Ctrl-C stops all of it."""
    run(settings(), children, name)


def run(config: Settings, children: Children, name: str | None = None) -> None:
    """Run an installation of these children until a signal ends it. `name` is a model centre to load first."""
    started = time.monotonic()
    identity_provider(config)
    refuse_taken(config.listen)
    try:
        with (
            suppress(KeyboardInterrupt),
            bootstrap.installation(config, migrate=True) as installation,
            Supervisor(children(config, installation.url)) as supervisor,
        ):
            people = _load(installation, name, supervisor) if name else []
            until_served(config.listen, supervisor.check)
            _greet(config, people, time.monotonic() - started)
            supervisor.watch(bootstrap.keeper(config))
    except ChildFailed as error:
        raise click.ClickException(f"{error}; see {config.state_dir / 'log'}") from error
    _console.print("Stopped.")


@click.command()
def serve() -> None:
    """Start the web server with its console proxy, and nothing else."""
    config = settings()
    identity_provider(config)
    with (
        suppress(KeyboardInterrupt),
        bootstrap.database(config) as url,
        Supervisor([_web(config, url), _consoles(url)]) as supervisor,
    ):
        supervisor.watch(bootstrap.keeper(config))


@click.command()
def worker() -> None:
    """Start a worker alone."""
    with opened() as installation:
        work.run(installation)


@click.command("console-proxy")
def console_proxy() -> None:
    """Start the console proxy alone."""
    with opened() as installation:
        consoles.run(installation)


def children(config: Settings, url: str) -> list[Child]:
    """Return the processes that make an installation whose database is at `url`."""
    worker_command = (sys.executable, "-m", "controlplane.cli", "worker")
    logs = config.state_dir / "log"
    logs.mkdir(parents=True, exist_ok=True)
    return [
        replace(_web(config, url), log=logs / "web.log"),
        Child("worker", worker_command, _environment(url), logs / "worker.log"),
        replace(_consoles(url), log=logs / "consoles.log"),
    ]


def _web(config: Settings, url: str) -> Child:
    command = (
        *(sys.executable, "-m", "gunicorn", "web.app:from_environment()"),
        *("--bind", config.listen, "--worker-class", "web.unreadable.TellingWorker"),
        *("--workers", str(config.web_workers), "--threads", str(config.web_threads)),
        *("--log-level", "warning", "--graceful-timeout", "15"),
    )
    return Child("web", command, _environment(url))


def _consoles(url: str) -> Child:
    return Child("consoles", (sys.executable, "-m", "controlplane.cli", "console-proxy"), _environment(url))


def _environment(url: str) -> dict[str, str]:
    return {**os.environ, "STEPPE_DATABASE_URL": url}


def _load(installation: Installation, name: str, supervisor: Supervisor) -> list[tuple[NewUser, str]]:
    with transaction(installation.sessions) as session:
        loaded = is_loaded(session, name)
    if not loaded:
        _console.print(f"First start: loading the model centre {name}.")
        load_with_progress(installation.sessions, Load(name, keys(installation.settings)))
    # Also on a later start: the first may have been cut off right here.
    people = _demo_people(installation)
    if loaded:
        return people
    supervisor.check()
    wait_with_progress(installation.sessions)
    return people


def _demo_people(installation: Installation) -> list[tuple[NewUser, str]]:
    """Make the people that the README speaks of and a rule that they decide by; return those who are new."""
    made = []
    for person in _DEMO:
        try:
            with transaction(installation.sessions) as session:
                _, password = users.create(session, operator(), person)
        except AlreadyExists:
            continue
        if password:
            made.append((person, password))
    with suppress(AlreadyExists), transaction(installation.sessions) as session:
        routing.create(session, operator(), "many", _DEMO_RULE)
    return made


def _greet(config: Settings, people: list[tuple[NewUser, str]], seconds: float) -> None:
    if people:
        table = Table(title="Demo sign-ins, shown this once", title_justify="left", box=None)
        for column in ("user", "password", "role", "department"):
            table.add_column(column)
        for person, password in people:
            table.add_row(person.username, password, person.role, person.department or "-")
        _console.print(table)
    _console.print(f"Logs: {config.state_dir / 'log'}", highlight=False)
    _console.print(f"Steppe is up at http://{config.listen} after {seconds:.1f} s. Ctrl-C stops it.", highlight=False)
