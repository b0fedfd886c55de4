"""`make check-requests`: one window as a whole, with more histories than the suite tries.

Requests over HTTP and in a browser, the state machine, leases, notifications, the progress link, attachments, and the
times to decision. The last line is `requests: N passed, N failed`; what was skipped counts as failed.
"""

import os
import sys
from dataclasses import dataclass

import pytest

PARTS = ("tests/window", "tests/leases", "tests/notices", "tests/browser/test_requests.py")
_HISTORIES = "15"


@dataclass(eq=False)
class Count:
    """Counts what became of each test."""

    passed: int = 0
    failed: int = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test once: when it ran, or where it could not."""
        if report.when == "call" and report.passed:
            self.passed += 1
        elif report.failed or report.skipped:
            self.failed += 1

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Count a file that cannot be read as a test that failed."""
        self.failed += report.failed


def main() -> int:
    """Run all parts and return how the process is to end."""
    os.environ.setdefault("REQUEST_HISTORIES", _HISTORIES)
    count = Count()
    pytest.main(["-q", "-p", "no:cacheprovider", *PARTS], plugins=[count])
    print(f"requests: {count.passed} passed, {count.failed} failed")
    return 1 if count.failed or not count.passed else 0


sys.exit(main())
