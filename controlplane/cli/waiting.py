"""Waiting for workers to finish what a command has asked for."""

import time
from collections.abc import Callable, Sequence
from uuid import UUID

from sqlalchemy import func, select

from controlplane.db import Sessions, transaction
from controlplane.lifecycle import IN_TRANSITION
from controlplane.models import Resource

_PAUSE = 0.2


def until_settled(
    sessions: Sessions, resources: Sequence[UUID] | None = None, tell: Callable[[int], None] | None = None
) -> None:
    """Return once none of `resources` (None: of all) is in transition; `tell` gets the number that still is."""
    while True:
        with transaction(sessions) as session:
            statement = select(func.count()).where(Resource.state.in_(IN_TRANSITION), Resource.deleted_at.is_(None))
            if resources is not None:
                statement = statement.where(Resource.id.in_(resources))
            left = session.scalar(statement) or 0
        if tell:
            tell(left)
        if not left:
            return
        time.sleep(_PAUSE)
