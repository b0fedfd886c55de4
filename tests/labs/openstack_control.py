"""Stops, kills and starts daemons of the OpenStack lab from a command beside it, as an administrator would.

Usage, inside the lab: python -m tests.labs.openstack_control start|stop|kill NAME..., or status.
"""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.labs.openstack_daemons import DAEMONS
from tests.labs.openstack_processes import Processes


def processes() -> Processes:
    """Return the daemons of the lab that this process runs beside. Raises KeyError outside of one."""
    return Processes(Path(os.environ["STEPPE_LAB_OPENSTACK"]))


def main(words: Sequence[str]) -> int:
    """Carry out a command line; return the exit status."""
    lab = processes()
    acts: dict[str, Callable[[str], None]] = {"start": lab.start, "stop": lab.stop, "kill": lab.kill}
    match words:
        case ["status"]:
            running = lab.running()
            for name in DAEMONS:
                print(f"{name:28} {'runs' if name in running else '-'}")
        case [act, *names] if act in acts and names and set(names) <= set(DAEMONS):
            for name in names:
                acts[act](name)
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
