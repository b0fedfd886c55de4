"""Progress bars for what takes more than a moment."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from controlplane.centre.loader import Load, load
from controlplane.cli.waiting import until_settled
from controlplane.db import Sessions

_console = Console(stderr=True)


def load_with_progress(sessions: Sessions, asked: Load) -> None:
    """Load a model centre, showing how far it is."""
    with telling() as tell:
        load(sessions, asked, tell)


@contextmanager
def telling() -> Iterator[Callable[[str, int, int], None]]:
    """Give what shows how far something is: its step, how much of it is done, and of how much."""
    with _bars() as bars:
        tasks: dict[str, TaskID] = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done)

        yield tell


def wait_with_progress(sessions: Sessions) -> None:
    """Wait until nothing is in transition, showing how many still are."""
    with _bars() as bars:
        most = 0
        task = bars.add_task("being built", total=None)

        def tell(left: int) -> None:
            nonlocal most
            most = max(most, left)
            bars.update(task, total=most, completed=most - left)

        until_settled(sessions, tell=tell)


def _bars() -> Progress:
    columns = (TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=_console)
