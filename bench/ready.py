"""How gunicorn serves whoever is measured: each worker says, by a file, that it has loaded its application."""

import os
from pathlib import Path
from typing import Any


def post_worker_init(worker: Any) -> None:
    """Say so; gunicorn calls it by its name."""
    Path(os.environ["BENCH_READY"], str(worker.pid)).touch()
