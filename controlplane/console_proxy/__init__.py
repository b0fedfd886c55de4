"""The console proxy: a process that carries bytes between browsers and consoles of machines, and decides nothing."""

import asyncio
import signal
from concurrent.futures import ThreadPoolExecutor

from controlplane.bootstrap import Installation
from controlplane.console_proxy.desk import RecordDesk
from controlplane.console_proxy.server import Proxy
from controlplane.console_proxy.wire import Limits
from controlplane.entrance import rules


def run(installation: Installation) -> None:
    """Serve consoles until told to stop by SIGINT or SIGTERM."""
    settings = installation.settings
    drivers = installation.drivers()
    proxy = Proxy(
        RecordDesk(installation.sessions, drivers, rules(settings)),
        Limits(idle=settings.console_idle_minutes * 60, longest=settings.console_minutes * 60),
        settings.console_sessions,
    )

    async def main() -> None:
        threads = ThreadPoolExecutor(settings.console_sessions, thread_name_prefix="desk")
        asyncio.get_running_loop().set_default_executor(threads)
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await proxy.run(*settings.console_address, stop)

    try:
        asyncio.run(main())
    finally:
        drivers.close()
