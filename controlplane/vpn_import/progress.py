"""How far an import is, written by a session of its own, so that it is seen before anything is committed."""

import time
from uuid import UUID

from sqlalchemy import update

from controlplane.db import Sessions, transaction
from controlplane.models import VpnImport
from controlplane.vpn_import.states import HELD

EVERY_SECONDS = 0.2


class Progress:
    """Is told of every few rows, and writes where some time has passed or another step has begun."""

    def __init__(self, sessions: Sessions, of: UUID, every: float = EVERY_SECONDS) -> None:
        self._sessions, self._of, self._every = sessions, of, every
        self._step, self._written = "", 0.0

    def __call__(self, step: str, done: int, total: int) -> None:
        """Write it down, unless that was done a moment ago."""
        now = time.monotonic()
        if step == self._step and now < self._written + self._every:
            return
        self._step, self._written = step, now
        with transaction(self._sessions) as session:
            of = VpnImport.id == self._of, VpnImport.state.in_(HELD)
            session.execute(update(VpnImport).where(*of).values(step=step, done=done, total=total))
