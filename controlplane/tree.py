"""The tree of departments, whose growth and limits change one after the other."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session


def lock_tree(session: Session) -> None:
    """Let the tree grow and limits be set one after the other: a limit must count all that is below, also the newest.

    Not by row locks: asks hold these all the time, and a limit would wait for a quiet moment that never comes.
    """
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("departments", 0))))
