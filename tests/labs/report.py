"""What a lab has to say: one line a check, and the count that its exit status follows."""

import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Report:
    """Counts checks. A check that fails is told and counted, and the lab goes on with the next."""

    title: str
    passed: int = 0
    failed: int = 0

    @contextmanager
    def check(self, sentence: str) -> Iterator[None]:
        """Run the block as the proof of `sentence`; whatever it raises is its failure."""
        began = time.monotonic()
        try:
            yield
        except Exception as error:
            self.failed += 1
            where = traceback.extract_tb(error.__traceback__)[-1]
            print(f"FAILED  {sentence} ({where.filename}:{where.lineno} {type(error).__name__}: {error})", flush=True)
        else:
            self.passed += 1
            print(f"ok      {sentence} ({time.monotonic() - began:.1f} s)", flush=True)

    def figure(self, name: str, value: str) -> None:
        """Tell something measured at once: a lab that is cut off has told it."""
        print(f"figure  {name}: {value}", flush=True)

    def end(self) -> int:
        """Print the last line; return the exit status."""
        if not self.passed:
            self.failed = max(self.failed, 1)
        print(f"{self.title}: {self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed else 0
