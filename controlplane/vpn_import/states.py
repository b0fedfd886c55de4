"""The states of an import: `checking` leads to `ready` or `bad`; started, `working` leads to `done` or `failed`."""

from typing import Literal, get_args

ImportState = Literal["checking", "ready", "bad", "working", "done", "failed"]
STATES: tuple[ImportState, ...] = get_args(ImportState)
HELD: tuple[ImportState, ...] = ("checking", "ready", "working")
"""The states of an import that is not over: its file is still needed."""
Asker = Literal["user", "token", "system"]
"""What kind of actor asks for one."""
