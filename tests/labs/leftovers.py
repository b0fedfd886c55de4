"""What still runs of a lab that has ended."""

import os
from pathlib import Path


def processes(folder: Path) -> list[str]:
    """Return the command lines, this process's own aside, that still name the lab's folder."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(folder) in line:
                found.append(f"{process.name} {line[:200]}")
    return found
