"""How long a sweep over a large centre takes, how often it calls hypervisors, and what an idle worker costs and holds.

The model centre is loaded in copies onto simulated hypervisors and built by a worker's own code. Calls are counted
where Python hands over to libvirt; what libvirt answers from the handle itself (a name, an id) is no call.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import libvirt
import psutil
import structlog
from sqlalchemy import func, select, text

from controlplane import bootstrap
from controlplane.bootstrap import Installation
from controlplane.centre.loader import Load, load
from controlplane.db import transaction
from controlplane.models import Drift, Pool, Resource
from controlplane.reconcile.drivers import Drivers
from controlplane.reconcile.sweep import sweep
from controlplane.secrets import keys
from controlplane.settings import Settings
from controlplane.worker import make_app
from provisioners.contract import load_machine
from provisioners.registry import connect

MODEL = "inner-mongolia"
DRIFTED = 100
_QUIET_SECONDS = 15
_LOCAL = ("GetUUID", "GetID", "GetName", "GetConnect", "IsAlive", "Free", "__")


class Counted:
    """Stands for libvirt's C module and counts the calls that reach a hypervisor."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._module, name)
        if not name.startswith("vir") or any(part in name for part in _LOCAL):
            return found

        def called(*args: Any) -> Any:
            self.calls += 1
            return found(*args)

        return called


def main() -> None:
    asked = _arguments()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    lines = []
    for scale in sorted({1, asked.scale} if asked.idle else {asked.scale}):
        with tempfile.TemporaryDirectory(prefix="steppe-bench-") as made:
            settings = Settings(state_dir=Path(made), log_level="error")
            with bootstrap.installation(settings, migrate=True) as installation:
                drivers = installation.drivers()
                count = build(installation, drivers, scale)
                lines.append(measure(installation, drivers, count))
                drivers.close()
                if asked.idle:
                    print(idle(installation, asked.idle, asked.sweep_minutes), flush=True)
    print(*lines, sep="\n")


def build(installation: Installation, drivers: Drivers, scale: int) -> int:
    """Load the model and do every job there is; return how many VMs run."""
    load(
        installation.sessions,
        Load(MODEL, keys(installation.settings), scale, frozenset({"vm"})),
        lambda what, done, of: None,
    )
    started = time.perf_counter()
    app = make_app(installation, drivers)
    app.run_worker(wait=False, concurrency=8, delete_jobs="successful", listen_notify=False, queues=["reconcile"])
    with transaction(installation.sessions) as session:
        rows = session.execute(
            select(Resource.state, func.count()).where(Resource.deleted_at.is_(None)).group_by(Resource.state)
        )
        states = {row[0]: row[1] for row in rows}
    # As on a centre that has run for a while: what was just written has been cleaned up and counted.
    with installation.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET ROLE NONE"))
        connection.execute(text("VACUUM ANALYZE"))
    print(f"built {states} in {time.perf_counter() - started:.1f} s", flush=True)
    if set(states) != {"running"}:
        sys.exit("not all of them run")
    return states["running"]


def measure(installation: Installation, drivers: Drivers, count: int) -> str:
    """Sweep where all is in order, then where DRIFTED machines were stopped behind our back and nothing repairs."""
    with transaction(installation.sessions) as session:
        for pool in session.scalars(select(Pool)):
            pool.drift_policy = "report"
    with counting() as counted:
        seconds, cpu = _timed(lambda: sweep(installation.sessions, drivers))
        clean = counted.calls
    print(f"a sweep takes {cpu:.2f} s of CPU time in the worker", flush=True)
    _stop_some(installation, drivers)
    with counting() as counted:
        checked, _ = _timed(lambda: sweep(installation.sessions, drivers))
        found = counted.calls
    with transaction(installation.sessions) as session:
        drifts = session.scalar(select(func.count()).select_from(Drift))
    if drifts != DRIFTED:
        sys.exit(f"{drifts} findings, {DRIFTED} expected")
    return f"sweep {count} VMs: {seconds:.2f} s, {clean} hypervisor calls; drift check: {checked:.2f} s, {found} calls"


def _stop_some(installation: Installation, drivers: Drivers) -> None:
    with transaction(installation.sessions) as session:
        rows = session.execute(select(Resource.wanted, Pool).join(Pool).order_by(Resource.id).limit(DRIFTED)).all()
    for wanted, pool in rows:
        drivers.of(pool.id, pool.driver, pool.connection).stop(load_machine(wanted))


def idle(installation: Installation, seconds: int, sweep_minutes: int) -> str:
    """Return what a worker process with nothing to do but sweep costs, and what memory it has of its own."""
    simulated = _simulated(installation)
    environment = {
        **os.environ,
        "STEPPE_DATABASE_URL": installation.url,
        "STEPPE_STATE_DIR": str(installation.settings.state_dir),
        "STEPPE_SWEEP_MINUTES": str(sweep_minutes),
    }
    said = installation.settings.state_dir / "worker.log"
    with said.open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "controlplane.cli", "worker"], env=environment, stderr=log)
    try:
        watched = psutil.Process(process.pid)
        _until_quiet(installation)
        before, sweeps = watched.cpu_times(), _sweeps(said)
        time.sleep(seconds)
        after, sweeps = watched.cpu_times(), _sweeps(said) - sweeps
        memory = watched.memory_full_info()
    finally:
        process.terminate()
        process.wait(30)
    used = after.user + after.system - before.user - before.system
    own, shared = memory.uss / 2**20, memory.pss / 2**20
    return (
        f"idle worker: {100 * used / seconds:.2f} % of a core over {seconds} s with {sweeps} sweeps in them\n"
        f"private memory of the worker: {own:.0f} MiB (PSS {shared:.0f}), {simulated:.1f} of it simulated hypervisors"
    )


def _sweeps(said: Path) -> int:
    """Return how many sweeps a worker told of: what is done leaves the queue."""
    return said.read_text().count(" swept ")


def _simulated(installation: Installation) -> float:
    """Return how many MiB the simulated hypervisors take that a worker has open: real ones are elsewhere."""
    with transaction(installation.sessions) as session:
        of_machines = select(Pool).where(Pool.kind == "vm")
        pools = [(pool.driver, pool.connection) for pool in session.scalars(of_machines)]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        machines, mebibytes = alone.submit(_opened, pools, installation.settings.state_dir / "nodes").result()
    if not machines:
        sys.exit("the simulated hypervisors have no machines")
    return mebibytes


def _opened(pools: list[tuple[str, dict[str, Any]]], state_dir: Path) -> tuple[int, float]:
    """Return how many machines these pools have, and how many MiB it takes to have them open."""
    drivers = [connect(name, connection, state_dir) for name, connection in pools]
    before = psutil.Process().memory_full_info().uss
    machines = sum(len(driver.discover()) for driver in drivers)
    return machines, (psutil.Process().memory_full_info().uss - before) / 2**20


def _until_quiet(installation: Installation) -> None:
    """Wait until a worker has started and done the periodic jobs that it missed, the first sweep among them."""
    quiet = 0
    while quiet < _QUIET_SECONDS:
        time.sleep(1)
        with transaction(installation.sessions) as session:
            busy = session.scalar(text("SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"))
        quiet = 0 if busy else quiet + 1


@contextmanager
def counting() -> Iterator[Counted]:
    """Give the count of the hypervisor calls made in the block."""
    real = libvirt.libvirtmod
    counted = Counted(real)
    libvirt.libvirtmod = counted
    try:
        yield counted
    finally:
        libvirt.libvirtmod = real


def _timed(act: Any) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    act()
    return time.perf_counter() - wall, time.process_time() - cpu


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=int, default=20, help="copies of the model centre")
    parser.add_argument("--idle", type=int, default=0, help="also measure idle workers for so many seconds")
    parser.add_argument("--sweep-minutes", type=int, default=59, help="minutes between two sweeps of the idle workers")
    return parser.parse_args()


if __name__ == "__main__":
    main()
