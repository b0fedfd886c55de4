"""Find the messages of refusals for translation: the docstrings of Refusal and its descendants."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

Message = tuple[int, str, str, list[str]]


def extract(
    source: IO[bytes], keywords: Mapping[str, Any], comment_tags: Sequence[str], options: Mapping[str, Any]
) -> Iterator[Message]:
    """Yield (line, function, message, comments) for each, as Babel asks of an extractor."""
    refusals = {"Refusal"}
    for node in ast.parse(source.read()).body:
        if not isinstance(node, ast.ClassDef):
            continue
        if node.name in refusals or any(isinstance(base, ast.Name) and base.id in refusals for base in node.bases):
            refusals.add(node.name)
            yield node.lineno, "", " ".join((ast.get_docstring(node) or "").split()), []
