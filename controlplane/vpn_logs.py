"""Forgetting logins and tunnels of long ago: they say where people were, and are kept as long as they must be."""

from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

AT_ONCE = 20_000
"""Rows of each table that one pass takes; the next pass comes within the hour, and goes on."""


def forget_old(session: Session, now: datetime, days: int) -> int:
    """Forget logins and ended tunnels that are older than so many days; return how many. None where `days` is 0."""
    if not days:
        return 0
    known = {"before": now - timedelta(days=days), "most": AT_ONCE}
    return sum(len(session.execute(old, known).all()) for old in (_LOGINS, _TUNNELS))


_LOGINS = text("""
    DELETE FROM vpn_logins WHERE id IN (
        SELECT id FROM vpn_logins WHERE at < :before ORDER BY at, id LIMIT :most
    ) RETURNING id
""")

_TUNNELS = text("""
    DELETE FROM vpn_sessions WHERE id IN (
        SELECT id FROM vpn_sessions WHERE started < :before AND stopped < :before ORDER BY started, id LIMIT :most
    ) RETURNING id
""")
