"""What came of fuzzing: answers that are not as described, and how much was asked."""

from collections import Counter
from dataclasses import dataclass, field

SERVER_ERROR = "not_a_server_error"


@dataclass(frozen=True)
class Fault:
    """An answer that is not as described: which check says so, why, and how to ask for it again."""

    check: str
    operation: str
    why: str
    curl: str
    request_id: str

    def __str__(self) -> str:
        return f"{self.check}: {self.operation}: {self.why}\n  request id {self.request_id or '-'}\n  {self.curl}"


@dataclass
class Found:
    """What came of a run. `renewed`: tokens that had to be replaced; `answered`: how often each operation was answered
    with each status."""

    phase: str
    who: str
    calls: int = 0
    renewed: int = 0
    seconds: float = 0
    faults: list[Fault] = field(default_factory=list)
    answered: Counter[tuple[str, int]] = field(default_factory=Counter)

    @property
    def server_errors(self) -> int:
        return sum(fault.check == SERVER_ERROR for fault in self.faults)

    @property
    def succeeded(self) -> set[str]:
        """The operations that went well at least once."""
        return {operation for (operation, status) in self.answered if status < 300}
