"""What is wrong with an import, as it is kept and told: the first hundreds, and how many there are in all.

A sentence may quote what stands in the file, so what is kept is sealed as the file is.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from controlplane.errors import Refusal
from controlplane.secrets import Keys

MOST_KEPT = 500


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: in a line and a column of the file, or of the whole where `line` is None.

    `template` filled in with `values`, which are text and numbers, is the sentence.
    """

    line: int | None
    column: str | None
    code: str
    template: str
    values: Mapping[str, Any]

    @property
    def detail(self) -> str:
        """The sentence, in English."""
        return self.template.format(**self.values)


class Faulty(Exception):
    """An import cannot be carried out; it has problems."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = sorted(problems, key=lambda one: one.line or 0)
        super().__init__(f"{len(self.problems)} problems")


def problem(refusal: Refusal, line: int | None = None, column: str | None = None) -> Problem:
    """Return a refusal as a problem; where it says line and column itself, these are the place."""
    said = refusal.values
    column = column or (str(said["column"]) if "column" in said else None)
    return Problem(line or said.get("line"), column, refusal.code, refusal.template, said)


def sealed(keys: Keys, problems: Sequence[Problem]) -> str:
    """Return the first of the problems as they may be kept."""
    plain = json.dumps([asdict(one) for one in problems[:MOST_KEPT]], ensure_ascii=False)
    return keys.sealing.encrypt(plain.encode()).decode()


def opened(keys: Keys, kept: str | None) -> list[Problem]:
    """Return what was kept. Raises InvalidToken where none of the keys opens it."""
    return [Problem(**one) for one in json.loads(keys.sealing.decrypt(kept))] if kept else []
